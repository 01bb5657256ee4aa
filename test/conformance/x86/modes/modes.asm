; Walks through every mode and gate, one instruction after the other: 32-bit protected mode, 16-bit segments, real mode
; and back, call gates, levels 1 and 3, paging, virtual-8086 mode, tasks. What it must do is what a processor does: the
; test steps it beside another one and compares all registers after each instruction.
%include "frame.inc"
%include "modes-tables.inc"

started:
 lgdt [gdtr]
 jmp CODE32:.here
.here:
 mov ax, DATA32
 mov ds, ax
 mov es, ax
 mov ss, ax
 mov fs, ax
 mov gs, ax
 mov esp, STACK0
 call fill_idt
 call fill_tables
 lidt [idtr]
 mov ax, TSSMAIN
 ltr ax
 xor eax, eax
 lldt ax
 xor ebx, ebx
 xor ecx, ecx
 xor edx, edx
 xor ebp, ebp
walk: ; the comparison begins here
%include "modes-real.inc"
%include "modes-protected.inc"
%include "modes-user.inc"
%include "modes-v86.inc"
%include "modes-tasks.inc"
finished:
 mov eax, 0x600d
 hlt
 jmp finished
 times LENGTH - ($ - $$) db 0
