; Quadrant's own PC firmware: what the processor finds at FFFFFFF0, the services of the IBM PC's BIOS, and the tables that
; tell an operating system about the machine (MP 1.4, ACPI 1.0b). The last 16 KiB of the 64 KiB ROM; before it is nothing.
; docs/firmware.md lists the services. Sources: IBM PC/AT and PS/2 technical references, Ralf Brown's Interrupt List, EDD 1.1.
        cpu     686
        bits    16
        org     0xc000

%include "firmware/layout.inc"
%include "firmware/reset.inc"
%include "firmware/post.inc"
%include "firmware/text.inc"
%include "firmware/memory.inc"
%include "firmware/interrupts.inc"
%include "firmware/keyboard.inc"
%include "firmware/keymap.inc"
%include "firmware/int16.inc"
%include "firmware/video.inc"
%include "firmware/screen.inc"
%include "firmware/disk.inc"
%include "firmware/disk-services.inc"
%include "firmware/edd.inc"
%include "firmware/ata.inc"
%include "firmware/floppy.inc"
%include "firmware/serial.inc"
%include "firmware/system.inc"
%include "firmware/move.inc"
%include "firmware/time.inc"
%include "firmware/pci.inc"
%include "firmware/boot.inc"
%include "firmware/mp.inc"
%include "firmware/acpi.inc"

; The reset vector. The far jump leaves the code segment's base of FFFF0000 (SDM vol. 3, 9.1.4); it serves those who jump to
; FFFF:0000, too. Behind it the AT's date of the ROM, and its model byte.
        times 0xfff0 - 0xc000 - ($ - $$) db 0xff
reset_vector:
        jmp     SEG_ROM:reset
        db      "05/01/07"
        db      0
        db      MODEL_AT
        db      0
