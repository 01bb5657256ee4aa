%include "prelude.inc"
main:
 gate 1, hdb, 0x8e
 pushfd
 or dword [esp], 0x100
 popfd
 nop              ; trap behind it
 mov ax, 0x10
 mov ss, ax       ; no trap behind this one
 nop              ; trap
 pushfd           ; trap
 and dword [esp], ~0x100 ; trap
 popfd            ; trap: TF was set when it began
 nop
 hlt
hdb:
 push eax
 mov eax, [esp+4]
 stosd
 pop eax
 iretd
