; A kernel that uses every device and every mode of the PC, and prints what it found, a line a check, on COM1 and the screen.
; A disk image: the first sector loads the rest by INT 13h. It goes from real mode through 16- and 32-bit protected mode,
; paging with two and with three levels, ring 3, virtual-8086 mode and hardware tasks back to real mode and through a
; reset, and ends the machine by port F4 with the number of lines that say WRONG. The text is the same on every PC.
        cpu     686
        bits    16
        org     0x7c00

%include "pc-kernel/layout.inc"

start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, STACK
        sti
        cld
        mov     [boot_drive], dl
        mov     ah, 0x41                ; by the extensions, where the firmware has them
        mov     bx, 0x55aa
        int     0x13
        jc      .failed
        cmp     bx, 0xaa55
        jne     .failed
        mov     dl, [boot_drive]
        mov     si, packet
        mov     ah, 0x42
        int     0x13
        jnc     real_mode
.failed:
        mov     si, .text
.next:  lodsb
        test    al, al
        jz      .stop
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        jmp     .next
.stop:  hlt
        jmp     .stop
.text:  db      "the kernel cannot be read", 0

        align   4
packet: db      16, 0
        dw      IMAGE_SECTORS - 1
        dw      0x7e00, 0
        dq      1
boot_drive: db  0
        times 510 - ($ - $$) db 0
        dw      0xaa55

%include "pc-kernel/real.inc"
%include "pc-kernel/modes.inc"
%include "pc-kernel/console.inc"
%include "pc-kernel/interrupts.inc"
%include "pc-kernel/faults.inc"
%include "pc-kernel/devices.inc"
%include "pc-kernel/disk.inc"
%include "pc-kernel/apic.inc"
%include "pc-kernel/fpu.inc"
%include "pc-kernel/paging.inc"
%include "pc-kernel/pae.inc"
%include "pc-kernel/user.inc"
%include "pc-kernel/v86.inc"
%include "pc-kernel/tasks.inc"

        bits    32
main:
        call    exceptions_stage
        call    debug_stage
        call    pic_stage
        call    pit_stage
        call    rtc_stage
        call    keyboard_stage
        call    serial_stage
        call    screen_stage
        call    pci_stage
        call    disk_stage
        call    apic_stage
        call    fpu_stage
        call    tasks_stage
        call    paging_stage
        call    user_stage
        call    v86_stage
        call    paging_end
        call    pae_stage
        call    user_stage
        call    v86_stage
        call    paging_end
        jmp     to_real

        times IMAGE_SECTORS * 512 - ($ - $$) db 0
; Behind it come the sectors for the disk's stage, up to DISK_SECTORS; each is filled with its own number, as bytes.
; core/guests/index.ts adds them.
