; PAE paging under tasks and virtual-8086 mode: every task has a CR3 of its own, and one of them PDPTEs that are refused.
; The kernel checks itself, as limits.asm does; under the shadow MMU each switch is another root.
%include "frame.inc"
failures equ LOG + 0x1000
checks equ LOG + 0x1004
TSSA equ 0x50
TSSB equ 0x58
TSSBAD equ 0x60
TSSV equ 0x68
; page-directory-pointer tables of 32 bytes at POINTERS; directories behind; data pages: 600000 and 800000
POINTERS equ 0x42000
PD equ 0x43000          ; task A: 0-2 MiB, 2-4 ... identity, 4 MiB large pages of 2 MiB
PDB equ 0x44000         ; task B: 600000 shows frame 800000
PTB equ 0x45000
SHARED equ 0x600000

align 8
gdt:
 dq 0
 SEGMENT 0, 0xfffff, 0x9b, 0xc
 SEGMENT 0, 0xfffff, 0x93, 0xc
 SEGMENT BASE, 0xffff, 0x9b, 0
 SEGMENT BASE, 0xffff, 0x93, 0
 SEGMENT 0, 0xfffff, 0xfb, 0xc
 SEGMENT 0, 0xfffff, 0xf3, 0xc
 SEGMENT 0, 0xfffff, 0xbb, 0xc
 SEGMENT 0, 0xfffff, 0xb3, 0xc
 SEGMENT 0, 0xfffff, 0x9f, 0xc
 SEGMENT A(tss_a), 0x67, 0x89, 0
 SEGMENT A(tss_b), 0x67, 0x89, 0
 SEGMENT A(tss_bad), 0x67, 0x89, 0
 SEGMENT A(tss_v), 0x67, 0x89, 0
GDT_END:
; cr3, eip, eflags, esp, cs, data selectors
%macro TASK 6
 dd 0, STACK0, DATA32, 0, 0, 0, 0, %1, %2, %3, 1, 2, 3, 4, %4, 5, 6, 7, %6, %5, %6, %6, %6, %6, 0, 0x680000
%endmacro
align 8
tss_a: TASK POINTERS, 0, 2, 0, CODE32, DATA32
tss_b: TASK POINTERS + 0x20, task_b, 2, STACK0 - 0x800, CODE32, DATA32
tss_bad: TASK POINTERS + 0x40, task_b, 2, STACK0 - 0x800, CODE32, DATA32
tss_v: TASK POINTERS + 0x20, R(task_v), 0x23202, 0xf00, PARA, PARA

%macro IS 2 ; operand, value
 inc dword [checks]
 cmp dword %1, %2
 je %%right
 inc dword [failures]
%%right:
%endmacro

started:
 lgdt [gdtr]
 jmp CODE32:.here
.here:
 mov ax, DATA32
 mov ds, ax
 mov es, ax
 mov ss, ax
 mov esp, STACK0
 call fill_idt
 lidt [idtr]
 mov ax, TSSA
 ltr ax
 xor ax, ax
 lldt ax
 ; directories: 2 MiB pages, user, writable; B's fourth through a table
 mov edi, PD
 mov eax, 0x87
 mov ecx, 512
.next:
 mov [edi], eax
 mov [edi + 0x1000], eax
 add eax, 0x200000
 add edi, 8
 loop .next
 mov dword [PDB + 3 * 8], PTB + 7
 mov edi, PTB
 mov eax, 0x800007
 mov ecx, 512
.page:
 mov [edi], eax
 add eax, 0x1000
 add edi, 8
 loop .page
 mov dword [POINTERS], PD + 1
 mov dword [POINTERS + 0x20], PDB + 1
 mov dword [POINTERS + 0x40], PD + 1
 mov dword [POINTERS + 0x58], 0x1e7 ; reserved bits
 mov dword [SHARED], 0x600
 mov dword [SHARED + 0x200000], 0x800
 mov eax, POINTERS
 mov cr3, eax
 mov eax, 0x30
 mov cr4, eax
 mov eax, cr0
 or eax, 0x80010000
 mov cr0, eax
 jmp walk
walk:
 IS [SHARED], 0x600
 call TSSB:0
 IS [SHARED], 0x600
 IS [SHARED + 0x200000], 0x801
 mov eax, cr3
 IS eax, POINTERS
 ; B's table changes while A runs: B sees it when it comes back
 mov dword [PTB], 0xa00007
 mov dword [SHARED + 0x400000], 0xa00
 call TSSB:0
 IS [SHARED + 0x400000], 0xa01
 mov dword [PTB], 0x800007
 ; the PDPTEs of a task's CR3 are refused: #GP(0) in the new task, which goes back by its link
 EXPECT refused
 call TSSBAD:0
 IS [LOG], 13
 IS [LOG + 4], 0
 mov eax, [tss_bad + 0x1c]
 IS eax, POINTERS + 0x40
 ; its own PDPTEs stayed those of A, whose page it saw
 IS [SHARED], 0x601
 ; virtual-8086 mode in B's space
 call TSSV:0
 IS [SHARED + 0x200000], 0x802
 ; and INT 35h through a task gate, again and again
 mov dword [idt + 0x35 * 8], TSSB << 16
 mov dword [idt + 0x35 * 8 + 4], 0xe500
 mov ecx, 20
.again:
 int 0x35
 loop .again
 IS [SHARED + 0x200000], 0x802 + 20
 jmp finished
refused:
 inc dword [SHARED]
 pushfd
 or dword [esp], 0x4000
 popfd
 iretd
task_b:
 mov eax, cr3
 IS eax, POINTERS + 0x20
 inc dword [SHARED]
 iretd
 jmp task_b
finished:
 hlt
 jmp finished
bits 16
task_v:
 mov ax, 0xffff
 mov ds, ax
 xor bx, bx
 mov ax, PARA
 mov ds, ax
 int 0x30
 mov dword [R(resume)], A(left)
 int 0x31
bits 32
left:
 mov ax, DATA32
 mov ds, ax
 mov es, ax
 inc dword [SHARED]
 pushfd
 or dword [esp], 0x4000
 popfd
 iretd
 times LENGTH - ($ - $$) db 0
