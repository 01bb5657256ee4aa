; The guest of the latency bench: it runs at full speed and, every `interval` units of the machine's time, stores that
; time (RDTSC) into a page that is on the screen. What the window shows then tells when it was stored.
; A multiboot image at 1 MiB; `program` and `interval` are patched by the harness. 2-level paging, first 8 MiB
; identity-mapped, A and D set.
; Rebuild: nasm -f bin -o latency.bin latency.asm   (a test checks that nasm still makes these bytes)

bits 32
org 0x100000

LOAD        equ 0x100000
PD          equ 0x200000        ; page directory
PT0         equ 0x201000        ; maps 0 .. 4 MiB
PT1         equ 0x202000        ; maps 4 .. 8 MiB
STACK       equ 0x210000
SEEN        equ 0x300000        ; the page on the screen; the stamp is its first word
ARENA       equ 0x400000        ; 64 pages stored into without a pause
WINDOW      equ 0x500000        ; pages remapped by the PTE writes
FRAME_A     equ 0x600000
FRAME_B     equ 0x601000

start:
        jmp     short entry
        align   4
header:
        dd      0x1badb002
        dd      0x00010000
        dd      -(0x1badb002 + 0x00010000)
        dd      header
        dd      LOAD
        dd      end
        dd      end
        dd      entry

        times   0x40-($-$$) db 0
program:    dd 0                ; at LOAD + 0x40: what is done between two stamps, 0 .. 3
interval:   dd 1000000          ; at LOAD + 0x44: units between two stamps

entry:
        cli
        mov     esp, STACK
        lgdt    [gdtr]
        jmp     0x08:.flat
.flat:
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        cld
        mov     edi, PD
        xor     eax, eax
        mov     ecx, 1024
        rep     stosd
        mov     dword [PD], PT0 | 0x27
        mov     dword [PD + 4], PT1 | 0x27
        mov     edi, PT0
        mov     eax, 0x67       ; P W U A D
        mov     ecx, 2048
.fill:  mov     [edi], eax
        add     eax, 0x1000
        add     edi, 4
        dec     ecx
        jnz     .fill
        mov     eax, PD
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000 ; PG, WP
        mov     cr0, eax
        jmp     short .paged
.paged:
        mov     ebx, [program]
        mov     ebx, [table + ebx * 4]
        xor     ebp, ebp        ; time of the last stamp
        align   16
.loop:  call    ebx
        rdtsc
        mov     ecx, eax
        sub     ecx, ebp
        cmp     ecx, [interval]
        jb      .loop
        mov     ebp, eax
        mov     [SEEN], eax
        jmp     .loop

        align   16
; 0: stores all over 64 pages
stores:
        mov     esi, ARENA
        mov     ecx, 64
.loop:  mov     eax, [esi]
        add     eax, ecx
        mov     [esi + 4], eax
        mov     [esi + 0x800], ecx
        add     esi, 0x1000
        dec     ecx
        jnz     .loop
        ret

        align   16
; 1: the page on the screen changes in every word but the first four
screen:
        mov     edi, SEEN + 16
        mov     ecx, 1020
        mov     eax, ebp
.loop:  add     eax, 0x01010107
        mov     [edi], eax
        add     edi, 4
        dec     ecx
        jnz     .loop
        ret

        align   16
; 2: page-table entries: 8 of them written, flushed, and the page touched
entries:
        mov     esi, PT1 + ((WINDOW >> 12) & 0x3ff) * 4
        mov     edi, WINDOW
        mov     ecx, 8
.loop:  mov     eax, [esi]
        xor     eax, FRAME_A ^ FRAME_B
        and     eax, 0x00001000
        or      eax, FRAME_A | 0x67
        mov     [esi], eax
        invlpg  [edi]
        mov     [edi], ecx
        add     esi, 4
        add     edi, 0x1000
        dec     ecx
        jnz     .loop
        ret

        align   16
; 3: CR3 loaded anew, 64 pages touched
reload:
        mov     eax, cr3
        mov     cr3, eax
        jmp     stores

        align   4
table:  dd stores, screen, entries, reload
gdt:    dq 0
        dq 0x00cf9a000000ffff
        dq 0x00cf92000000ffff
gdtr:   dw 23
        dd gdt
end:
