%include "prelude.inc"
main:
 gate 8, hdf, 0x8e
 mov byte [idt+13*8+5], 0x0e ; not present
 mov ax, 0x40     ; segment not present: #NP(0x40), gate 11 empty: #GP -> contributory twice: #DF
 mov ds, ax
 jmp $
hdf: pop eax
 stosd
 mov eax, [esp]
 stosd
 mov word [idtr], 0
 lidt [idtr]
 ud2              ; no IDT: #GP, #DF, shutdown
