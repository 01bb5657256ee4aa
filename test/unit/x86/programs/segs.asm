%include "prelude.inc"
main:
 gate 13, hgp, 0x8e
 gate 12, hgp, 0x8e
 gate 11, hgp, 0x8e
 mov ax, 0x38
 mov fs, ax       ; base 0xffff, limit 0xfff
 mov byte [fs:0xfff], 0x5a
 mov al, [0x10ffe]
 movzx eax, al
 stosd
 mov dword [fs:0xffd], 1  ; 7 bytes + prefix 64: #GP(0)
 times 1 nop
 mov eax, 0
 mov ax, 0x48     ; beyond the GDT: #GP(0x48)
 mov gs, ax
 mov ax, 0x40
 mov gs, ax       ; #NP(0x40)
 mov ax, 0x40
 mov ss, ax       ; #SS(0x40)
 mov ax, 0x18
 mov ss, ax       ; code: #GP(0x18)
 mov ax, 0
 mov ss, ax       ; #GP(0)
 mov gs, ax       ; null is fine
 mov al, [gs:0]   ; #GP(0)
 mov eax, [gdt+0x38+4]
 stosd            ; accessed was set
 hlt
hgp:
 pop eax
 or eax, 0xe0000000
 stosd
 mov eax, [esp]
 call len
 add [esp], eax
 iretd
len: ; length of the faulting instruction
 cmp byte [eax], 0x64
 je .l11
 cmp byte [eax], 0x65
 je .l6
 mov eax, 2
 ret
.l11: mov eax, 11
 ret
.l6: mov eax, 6
 ret
