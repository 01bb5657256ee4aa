; Limits and types of segments at level 3, and alignment: what must fault, with its vector, error code and EIP, stands
; beside each instruction (SDM vol. 3, 5.3, 5.5, 6.15; vol. 1, 6.2). The kernel checks itself: [failures] counts what was
; otherwise, [checks] all; the numbers of the first failures lie behind.
%include "frame.inc"
failures equ LOG + 0x1000
checks equ LOG + 0x1004
first equ LOG + 0x1008

BYTES equ 0x58 | 3      ; data, base WINDOW, limit 0xfff
PAGES equ 0x60 | 3      ; data, base WINDOW, limit one page in pages
DOWN32 equ 0x68 | 3     ; expand-down, B = 1, limit 0xfff, base WINDOW - 0x1000
DOWN16 equ 0x70 | 3     ; expand-down, B = 0, limit 0xfff
READONLY equ 0x78 | 3
EXECONLY equ 0x80 | 3
READCODE equ 0x88 | 3   ; code that may be read, limit 0xfff, base WINDOW
STACK equ 0x90 | 3      ; stack, B = 1, base WINDOW, limit 0xfff
STACK16 equ 0x98 | 3    ; stack, B = 0, base WINDOW, limit 0xffff
STACKDOWN equ 0xa0 | 3  ; stack, expand-down, B = 1, limit 0xfff, base WINDOW - 0x1000
SHORTCODE equ 0xa8 | 3  ; code, base BASE, limit up to the end of `short_end`
ONEBYTE equ 0xb0 | 3    ; limit 0
TOP equ 0xb8 | 3        ; base 0xfffff000, limit 4 GiB: wraps
WINDOW equ 0x50000

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
 SEGMENT A(tss), 0x67, 0x89, 0
 SEGMENT WINDOW, 0xfff, 0xf3, 4
 SEGMENT WINDOW, 0, 0xf3, 0xc
 SEGMENT WINDOW - 0x1000, 0xfff, 0xf7, 4
 SEGMENT WINDOW - 0x1000, 0xfff, 0xf7, 0
 SEGMENT WINDOW, 0xfff, 0xf1, 4
 SEGMENT WINDOW, 0xfff, 0xf9, 4
 SEGMENT WINDOW, 0xfff, 0xfb, 4
 SEGMENT WINDOW, 0xfff, 0xf3, 4
 SEGMENT WINDOW, 0xffff, 0xf3, 0
 SEGMENT WINDOW - 0x1000, 0xfff, 0xf7, 4
 SEGMENT BASE, short_end - image - 1, 0xfb, 4
 SEGMENT WINDOW, 0, 0xf3, 4
 SEGMENT 0xfffff000, 0xfffff, 0xf3, 0xc
GDT_END:
tss: dd 0, STACK0, DATA32
 times 22 dd 0
 dw 0, 0x68

NONE equ -1
SF equ 12
GP equ 13
AC equ 17
%assign number 0
; vector, error, instruction: what must happen, at the instruction itself
%macro MUST 3+
%assign number number + 1
 mov dword [ss:resume], %%next
%%at: %3
%%next:
 MUSTHAVE %1, %2, %%at
%endmacro
%macro MUSTHAVE 3
 push dword %3
 push dword %2
 push dword %1
 push dword number
 call check
%endmacro
; the same for an instruction that needs a stack segment of its own; flat SS and ESP come back behind it
%macro MUSTON 5+ ; selector, ESP, vector, error, instruction
%assign number number + 1
 mov dword [resume], %%next
 mov [flatsp], esp
 mov ax, %1
 mov ss, ax
 mov esp, %2
%%at: %5
%%next:
 mov cx, DATA3
 mov ss, cx
 mov ecx, [flatsp]
 mov [lastsp], esp
 mov esp, ecx
 MUSTHAVE %3, %4, %%at
%endmacro
align 4
flatsp: dd 0
lastsp: dd 0

; stack: number, vector, error, eip; compares with the log, empties it
check:
 pushfd
 pushad
 push ds
 push es
 mov ax, DATA3
 mov ds, ax
 mov es, ax
 inc dword [checks]
 mov esi, LOG
 mov ebp, esp
 cmp dword [ebp + 52], NONE
 jne .expected
 cmp dword [logged], LOG
 jne .wrong
 jmp .over
.expected:
 cmp dword [logged], LOG + 32
 jne .wrong
 lodsd
 cmp eax, [ebp + 52]
 jne .wrong
 lodsd
 cmp eax, [ebp + 56]
 jne .wrong
 lodsd
 cmp eax, [ebp + 60]
 je .over
.wrong:
 mov eax, [failures]
 inc dword [failures]
 cmp eax, 32
 jae .over
 mov ecx, [ebp + 48]
 mov [first + eax * 4], ecx
.over:
 mov dword [logged], LOG
 and dword [resume], 0
 pop es
 pop ds
 popad
 popfd
 ret 16

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
 mov ax, TSSMAIN
 ltr ax
 xor ax, ax
 lldt ax
 mov edi, WINDOW - 0x1000
 mov ecx, 0x3000 / 4
 xor eax, eax
 rep stosd
 mov eax, cr0
 or eax, 0x40000
 mov cr0, eax
 push dword DATA3
 push dword STACK3
 push dword 0x2
 push dword CODE3
 push dword walk
 mov ax, DATA3
 mov ds, ax
 mov es, ax
 mov fs, ax
 mov gs, ax
 iretd
walk:
 mov ax, BYTES
 mov fs, ax
 MUST NONE, 0, mov al, [fs:0xfff]
 MUST NONE, 0, mov eax, [fs:0xffc]
 MUST GP, 0, mov al, [fs:0x1000]
 MUST GP, 0, mov ax, [fs:0xfff]
 MUST GP, 0, mov eax, [fs:0xffd]
 MUST GP, 0, mov [fs:0xffd], eax
 MUST GP, 0, mov [fs:0xffff], ax
 MUST GP, 0, mov [fs:0xffffffff], al
 MUST GP, 0, add [fs:0xffe], eax
 MUST GP, 0, xchg [fs:0x1000], al
 MUST GP, 0, inc dword [fs:0xffd]
 MUST GP, 0, lock cmpxchg [fs:0xffd], ecx
 MUST NONE, 0, cmpxchg8b [fs:0xff8]
 MUST GP, 0, cmpxchg8b [fs:0xff9]
 MUST GP, 0, push dword [fs:0xffd]
 MUST GP, 0, bt dword [fs:0xffd], 0
 mov ebx, 0x8000
 MUST GP, 0, bts dword [fs:0x0], ebx
 mov ebx, -1
 MUST GP, 0, btc dword [fs:0x0], ebx
 MUST GP, 0, bound eax, [fs:0xffc]
 MUST GP, 0, les eax, [fs:0xffb]
 MUST GP, 0, sgdt [fs:0xffb]
 MUST NONE, 0, lea eax, [fs:0x1000]
 MUST GP, 0, call [fs:0xffd]
 MUST GP, 0, jmp far [fs:0xffb]
 mov ebx, 0x1000
 mov al, 0
 MUST GP, 0, fs xlatb
 mov esi, 0xffe
 mov edi, WINDOW
 MUST GP, 0, fs movsd
 mov ecx, 3
 MUST GP, 0, fs rep lodsb
 mov ax, BYTES
 mov es, ax
 mov edi, 0x1000
 MUST GP, 0, stosb
 mov edi, 0xfff
 MUST NONE, 0, stosb
 MUST GP, 0, scasb
 mov esi, WINDOW
 MUST GP, 0, cmpsd
 MUST GP, 0, movsb
 mov ax, DATA3
 mov es, ax
 mov ax, PAGES
 mov fs, ax
 MUST NONE, 0, mov eax, [fs:0xffc]
 MUST GP, 0, mov eax, [fs:0xffd]
 mov ax, ONEBYTE
 mov fs, ax
 MUST NONE, 0, mov al, [fs:0]
 MUST GP, 0, mov al, [fs:1]
 MUST GP, 0, mov ax, [fs:0]
 mov ax, DOWN32
 mov fs, ax
 MUST GP, 0, mov al, [fs:0]
 MUST GP, 0, mov al, [fs:0xfff]
 MUST GP, 0, mov eax, [fs:0xffd]
 MUST NONE, 0, mov al, [fs:0x1000]
 MUST NONE, 0, mov [fs:0x1000], eax
 mov ax, DOWN16
 mov fs, ax
 MUST GP, 0, mov al, [fs:0xfff]
 MUST NONE, 0, mov al, [fs:0x1000]
 MUST NONE, 0, mov al, [fs:0xffff]
 MUST GP, 0, mov ax, [fs:0xffff]
 MUST GP, 0, mov al, [fs:0x10000]
 mov ax, TOP
 mov fs, ax
 MUST NONE, 0, mov eax, [fs:0x2000 + BASE]
 mov ax, READONLY
 mov fs, ax
 MUST NONE, 0, mov eax, [fs:0x10]
 MUST GP, 0, mov [fs:0x10], eax
 MUST GP, 0, and dword [fs:0x10], 0
 MUST GP, 0, or byte [fs:0x10], 1
 MUST GP, 0, cmpxchg [fs:0x10], eax
 MUST GP, 0, mov [fs:0xffff], eax
 mov ax, READCODE
 mov fs, ax
 MUST NONE, 0, mov eax, [fs:0x10]
 MUST GP, 0, mov [fs:0x10], eax
 xor ax, ax
 mov fs, ax
 MUST GP, 0, mov eax, [fs:0x10]
 MUST GP, 0, mov [fs:0x10], eax
 mov gs, ax
 mov esi, WINDOW
 MUST GP, 0, gs lodsb
 ; loads that must not be
 mov ax, EXECONLY
 MUST GP, EXECONLY & ~3, mov fs, ax
 MUST GP, READONLY & ~3, mov ss, [readonly]
 ; jumps and calls beyond CS, whose EIP counts from BASE there
%macro MUSTSHORT 3+
%assign number number + 1
 mov dword [resume], R(%%next)
%%at: %3
%%next:
 MUSTHAVE %1, %2, R(%%at)
%endmacro
 jmp SHORTCODE:R(in_short)
in_short:
 mov eax, short_end - image
 MUSTSHORT GP, 0, jmp eax
 MUSTSHORT GP, 0, call eax
 mov dword [WINDOW], short_end - image
 MUSTSHORT GP, 0, jmp [WINDOW]
 MUSTSHORT GP, 0, call [WINDOW]
 push eax
 MUSTSHORT GP, 0, ret
 pop eax
 push dword 0x1b00
 push eax
 MUSTSHORT GP, 0x1b00, retf
 add esp, 8
 push dword SHORTCODE
 push eax
 MUSTSHORT GP, 0, retf
 add esp, 8
 stc
 MUSTSHORT GP, 0, jc near short_end
 clc
 MUSTSHORT NONE, 0, jc near short_end
 MUSTSHORT GP, 0, jmp near short_end
 MUSTSHORT GP, 0, call short_end
 MUSTSHORT GP, 0, jmp SHORTCODE:0x100000
 MUSTSHORT GP, 0, call SHORTCODE:0x100000
 ; an instruction that the limit cuts
%assign number number + 1
 mov dword [resume], R(in_cut)
 jmp short_tail
in_cut:
 jmp CODE3:short_done
short_tail:
 mov eax, 0x12345678
short_end equ $ - 1
short_done:
 MUSTHAVE GP, 0, R(short_tail)
 ; stacks
 MUSTON STACK, 0x1000, NONE, 0, push eax
 MUSTON STACK, 4, NONE, 0, push eax
 MUSTON STACK, 0, SF, 0, push eax
 MUSTON STACK, 2, SF, 0, push eax
 MUSTON STACK, 0x1004, SF, 0, push eax
 MUSTON STACK, 0x1001, SF, 0, push ax
 MUSTON STACK, 0x1000, SF, 0, pop eax
 MUSTON STACK, 0xffd, SF, 0, pop eax
 MUSTON STACK, 0xffc, NONE, 0, pop eax
 MUSTON STACK, 0x20, NONE, 0, pushad
 MUSTON STACK, 0x1c, SF, 0, pushad
 MUSTON STACK, 0xfe0, NONE, 0, popad
 MUSTON STACK, 0xfe4, SF, 0, popad
 MUSTON STACK, 0x1000, SF, 0, mov eax, [esp]
 MUSTON STACK, 0x1000, SF, 0, mov [esp - 2], eax
 MUSTON STACK, 0x10, SF, 0, enter 0x20, 0
 MUSTON STACK, 0x10, NONE, 0, enter 0x8, 0
 MUSTON STACK, 2, SF, 0, pushfd
 MUSTON STACK, 0x1000, SF, 0, popfd
 MUSTON STACK, 0x1000, SF, 0, ret
 MUSTON STACK, 0xffc, SF, 0, retf
 MUSTON STACK, 0xff8, SF, 0, iretd
 MUSTON STACK, 2, SF, 0, call check
 MUSTON STACK, 4, SF, 0, call CODE3:check
 mov ebp, 0x1000
 MUSTON STACK, 0x100, SF, 0, mov al, [ebp]
 MUSTON STACK, 0x100, SF, 0, leave
 MUSTON STACK, 0x100, NONE, 0, mov al, [ds:ebp]
 MUSTON STACK16, 0xabcd0000, NONE, 0, push eax
 MUSTON STACK16, 0xabcd0002, SF, 0, push eax
 MUSTON STACK16, 0xabcd0002, NONE, 0, push ax
 MUSTON STACK16, 0xabcd0001, SF, 0, push ax
 MUSTON STACK16, 0xabcdffff, SF, 0, pop ax
 MUSTON STACK16, 0xabcdfffe, NONE, 0, pop ax
 MUSTON STACK16, 0xabcdfffe, SF, 0, pop eax
 MUSTON STACK16, 0xabcd0010, NONE, 0, pushad
 MUSTON STACK16, 0xabcd0010, SF, 0, mov eax, [esp]
 MUSTON STACK16, 0xfffe, SF, 0, retf
 MUSTON STACKDOWN, 0x1004, NONE, 0, push eax
 MUSTON STACKDOWN, 0x1003, SF, 0, push eax
 MUSTON STACKDOWN, 0x1000, SF, 0, push eax
 MUSTON STACKDOWN, 0x1020, NONE, 0, pushad
 MUSTON STACKDOWN, 0x101c, SF, 0, pushad
 ; alignment: CR0.AM is set
 push dword 0x40002
 popfd
 MUST NONE, 0, mov eax, [WINDOW]
 MUST AC, 0, mov eax, [WINDOW + 2]
 MUST AC, 0, mov ax, [WINDOW + 1]
 MUST NONE, 0, mov ax, [WINDOW + 2]
 MUST NONE, 0, mov al, [WINDOW + 1]
 MUST AC, 0, mov [WINDOW + 3], eax
 MUST AC, 0, inc word [WINDOW + 3]
 MUST AC, 0, push dword [WINDOW + 1]
 MUST AC, 0, cmpxchg8b [WINDOW + 4]
 mov ax, BYTES
 mov fs, ax
 MUST GP, 0, mov eax, [fs:0xffe] ; the limit comes first
 mov esi, WINDOW + 1
 mov edi, WINDOW + 8
 MUST AC, 0, movsd
 MUST NONE, 0, movsb
 push dword 2
 popfd
 MUST NONE, 0, mov eax, [WINDOW + 2]
 EXPECT finished
 int 0x31
finished:
 hlt
 jmp finished
readonly: dw READONLY
 times LENGTH - ($ - $$) db 0
