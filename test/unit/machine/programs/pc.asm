; A program for a `pc`: it takes interrupts of the timer (by the 8259 pair), of the disk and of the local APIC's timer,
; under paging, and logs when each came. Flat, at 0x100000.
bits 32
org 0x100000
LOG equ 0x200000
APIC equ 0xfee00000

start:
        cld
        mov esp, 0x9f000
        mov edi, LOG
        ; 4 MiB pages: the first 4 MiB, and those around the APICs
        mov dword [0x300000], 0x83
        mov dword [0x300000 + 0x3fb * 4], 0xfec00093
        mov eax, cr4
        or eax, 0x10
        mov cr4, eax
        mov eax, 0x300000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        ; interrupt gates
        mov eax, timer
        mov ecx, 0x20
        call gate
        mov eax, key
        mov ecx, 0x21
        call gate
        mov eax, disk
        mov ecx, 0x2e
        call gate
        mov eax, local
        mov ecx, 0x40
        call gate
        lidt [idtr]
        ; 8259 pair at 0x20 and 0x28; timer, keyboard, cascade and disk unmasked
        mov esi, picinit
.pic:   lodsw
        movzx edx, al
        test edx, edx
        jz .pit
        mov al, ah
        out dx, al
        jmp .pic
.pit:   mov al, 0x34
        out 0x43, al
        mov al, 1193 & 255
        out 0x40, al
        mov al, 1193 >> 8
        out 0x40, al
        sti
.ticks: hlt
        cmp dword [ticks], 5
        jb .ticks
        ; no more of the timer
        in al, 0x21
        or al, 1
        out 0x21, al
        ; read sector 1
        mov dx, 0x1f6
        mov al, 0xe0
        out dx, al
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        inc dx
        out dx, al
        inc dx
        xor eax, eax
        out dx, al
        inc dx
        out dx, al
        mov dx, 0x1f7
        mov al, 0x20
        out dx, al
.read:  cmp dword [disks], 1
        jb .read
        push edi
        mov edi, 0x210000
        mov ecx, 256
        mov dx, 0x1f0
        rep insw
        pop edi
        ; write it to sector 2, each word plus one
        mov dx, 0x1f3
        mov al, 2
        out dx, al
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        mov dx, 0x1f7
        mov al, 0x30
        out dx, al
.drq:   in al, dx
        test al, 8
        jz .drq
        mov esi, 0x210000
        mov ecx, 256
        mov dx, 0x1f0
.word:  lodsw
        inc ax
        out dx, ax
        loop .word
.written:
        cmp dword [disks], 2
        jb .written
        ; local APIC: enabled, timer once after 5000 units times 2
        mov dword [APIC + 0xf0], 0x1ff
        mov dword [APIC + 0x3e0], 0
        mov dword [APIC + 0x320], 0x40
        mov dword [APIC + 0x380], 5000
.local: inc dword [spins]
        cmp dword [locals], 1
        jb .local
        mov eax, [APIC + 0x390]
        stosd
        mov esi, text
        mov dx, 0x3f8
.print: lodsb
        test al, al
        jz .done
        out dx, al
        jmp .print
.done:  mov al, 0x21
        mov dx, 0xf4
        out dx, al
.over:  hlt
        jmp .over

gate:   lea edx, [idt + ecx * 8]
        mov [edx], ax
        mov word [edx + 2], 8
        mov word [edx + 4], 0x8e00
        shr eax, 16
        mov [edx + 6], ax
        ret

; edi is the log: what, and when (low word of the counter)
%macro note 1
        push eax
        push edx
        mov eax, %1
        stosd
        rdtsc
        stosd
        pop edx
        pop eax
%endmacro

timer:  note 1
        inc dword [ticks]
        jmp master
key:    push eax
        in al, 0x60
        movzx eax, al
        stosd
        pop eax
        jmp master
disk:   push eax
        push edx
        mov dx, 0x1f7
        in al, dx
        pop edx
        pop eax
        note 2
        inc dword [disks]
        push eax
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop eax
        iret
master: push eax
        mov al, 0x20
        out 0x20, al
        pop eax
        iret
local:  note 3
        inc dword [locals]
        mov dword [APIC + 0xb0], 0
        iret

picinit: db 0x20, 0x11, 0xa0, 0x11, 0x21, 0x20, 0xa1, 0x28, 0x21, 4, 0xa1, 2, 0x21, 1, 0xa1, 1, 0x21, 0xf8, 0xa1, 0xbf, 0, 0
text:   db "done", 10, 0
align 8
idtr:   dw 0x41 * 8 - 1
        dd idt
ticks:  dd 0
disks:  dd 0
locals: dd 0
spins:  dd 0
align 8
idt:    times 0x41 dq 0
