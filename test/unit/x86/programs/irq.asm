%include "prelude.inc"
main:
 gate 0x24, hirq, 0x8e
 sti
 inc ebx          ; shadow: this one runs first
 inc ebx
 hlt
 inc ebx
 hlt
hirq:
 mov eax, ebx
 stosd
 mov eax, [esp]
 stosd
 mov al, 0
 out 0x77, al     ; acknowledge
 iretd
