%include "prelude.inc"
main:
 mov eax, target
 mov word [gdt+0x30], ax
 mov word [gdt+0x30+2], 8
 mov byte [gdt+0x30+4], 2  ; two parameters
 shr eax, 16
 mov word [gdt+0x30+6], ax
 gate 13, hgp, 0x8e
 mov ax, 0x23
 mov ds, ax
 mov es, ax
 push 0x23
 push 0x7000
 push 0x2
 push 0x1b
 push user
 iretd
user:
 push 0x1111
 push 0x2222
 call 0x30:0
 mov eax, esp
 stosd
 mov eax, ecx
 stosd
 hlt
target:
 mov ecx, [esp+8]
 mov eax, [esp+12]
 stosd
 mov eax, cs
 stosd
 mov eax, esp
 stosd
 retf 8
hgp: mov eax, [esp]
 stosd
 hlt
