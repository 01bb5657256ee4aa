%include "prelude.inc"
main:
 gate 0x80, h80, 0xee
 gate 13, hgp, 0x8e
 gate 0x40, h80, 0x8e
 mov ax, 0x23
 mov ds, ax
 mov es, ax
 mov ax, 0x10
 mov fs, ax
 push 0x23
 push 0x7000
 push 0x3202      ; IOPL 3, IF
 push 0x1b
 push user
 iretd
user:
 mov ax, fs       ; nulled: DPL 0 < CPL 3
 stosd
 int 0x80
 mov eax, cs
 stosd
 hlt              ; #GP(0), skipped by the handler
 int 0x40         ; gate DPL 0: #GP(0x40*8+2)
 cli              ; allowed, IOPL 3
 pushfd
 pop eax
 stosd
 mov ax, 0x10
 mov ds, ax       ; #GP(0x10)
 int 0x80
 jmp $
h80:
 mov eax, cs
 stosd
 mov eax, esp
 stosd
 mov eax, [esp+16] ; old SS
 stosd
 mov eax, [esp+12] ; old ESP
 stosd
 pushfd
 pop eax
 stosd
 iretd
hgp:
 pop eax
 stosd             ; error code
 mov eax, [esp+8]
 and eax, 0x10000
 stosd             ; RF in the pushed image
 mov eax, [esp]
 cmp byte [eax], 0xf4
 je .one
 add dword [esp], 1
.one: add dword [esp], 1
 iretd
