; The loops of the benchmark: the same bytes run on Quadrant and on its peer.
; A multiboot image (address fields in the header) at 1 MiB; `program` and `iterations` are patched by the harness.
; Paging is on (2-level, 4 KiB pages, first 8 MiB identity-mapped, A and D set as a kernel that has run would have them).
; The serial port says 'S' when the loop starts and 'E' when it has ended; then HLT with IF=0.
; Rebuild: nasm -f bin -o loops.bin loops.asm   (a test checks that nasm still makes these bytes)

bits 32
org 0x100000

LOAD        equ 0x100000
PD          equ 0x200000        ; page directory
PT0         equ 0x201000        ; maps 0 .. 4 MiB
PT1         equ 0x202000        ; maps 4 .. 8 MiB
STACK       equ 0x210000
ARENA       equ 0x400000        ; 64 pages for load and store, mapped by PT1
WINDOW      equ 0x500000        ; the page that the PTE loop remaps
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
program:    dd 0                ; at LOAD + 0x40: which loop, 0 .. 7
iterations: dd 1000             ; at LOAD + 0x44

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
        ; page tables: 2048 entries, P W U A D
        mov     edi, PD
        xor     eax, eax
        mov     ecx, 1024
        rep     stosd
        mov     dword [PD], PT0 | 0x27
        mov     dword [PD + 4], PT1 | 0x27
        mov     edi, PT0
        mov     eax, 0x67
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
        ; touch everything once, so that the loops start warm
        mov     esi, ARENA
        mov     ecx, 64
.warm:  mov     eax, [esi]
        mov     [esi], eax
        add     esi, 0x1000
        dec     ecx
        jnz     .warm
        mov     eax, [WINDOW]
        mov     al, 'S'
        call    putc
        mov     ecx, [iterations]
        mov     edx, [program]
        call    [table + edx * 4]
        mov     al, 'E'
        call    putc
        hlt

; Writes AL to COM1.
putc:   push    edx
        mov     edx, 0x3f8
        out     dx, al
        pop     edx
        ret

        align   16
; 0: arithmetic: 10 instructions an iteration, no memory
arith:
        mov     eax, 1
        mov     ebx, 3
        mov     esi, 7
        mov     edi, 11
        align   16
.loop:  add     eax, ebx
        xor     ebx, eax
        lea     esi, [esi + eax * 2 + 5]
        and     edi, 0x00ffffff
        sub     edi, esi
        shl     ebx, 1
        or      eax, 0x10
        inc     esi
        dec     ecx
        jnz     .loop
        ret

        align   16
; 1: load and store over 64 pages: 4 * 64 + 3 instructions an iteration
loadstore:
.outer: mov     esi, ARENA
        align   16
.loop:  mov     eax, [esi]
        add     eax, ecx
        mov     [esi + 4], eax
        add     esi, 0x1000
        cmp     esi, ARENA + 64 * 0x1000
        jb      .loop
        dec     ecx
        jnz     .outer
        ret

        align   16
; 2: the same, and CR3 is reloaded every 64 pages
reload:
        mov     edi, PD
.outer: mov     cr3, edi
        mov     esi, ARENA
        align   16
.loop:  mov     eax, [esi]
        add     eax, ecx
        mov     [esi + 4], eax
        add     esi, 0x1000
        cmp     esi, ARENA + 64 * 0x1000
        jb      .loop
        dec     ecx
        jnz     .outer
        ret

        align   16
; 3: each iteration writes a PTE, executes INVLPG and touches the page
ptewrite:
        mov     esi, PT1 + ((WINDOW >> 12) & 0x3ff) * 4
        mov     edx, FRAME_A | 0x67
        mov     ebx, FRAME_B | 0x67
        align   16
.loop:  mov     [esi], edx
        invlpg  [WINDOW]
        mov     eax, [WINDOW]
        xchg    edx, ebx
        dec     ecx
        jnz     .loop
        ret

        align   16
; 4: call and return, two deep
callret:
        align   16
.loop:  call    .one
        dec     ecx
        jnz     .loop
        ret
        align   16
.one:   push    ecx
        call    .two
        pop     ecx
        ret
        align   16
.two:   inc     eax
        ret

        align   16
; 5: an exit and nothing else (CPUID): the cost of an exit
exits:
        mov     edi, ecx
.loop:  xor     eax, eax
        cpuid
        dec     edi
        jnz     .loop
        ret

        align   16
; 6: loop 3 with one more trapped write, to an entry that nobody uses: the difference is the cost of a trapped write.
;    The touch faults once an iteration and so keeps the flood detector at two.
trapped:
        mov     esi, PT1 + ((WINDOW >> 12) & 0x3ff) * 4
        mov     edx, FRAME_A | 0x67
        align   16
.loop:  mov     [esi + 4], edx
        mov     [esi], edx
        invlpg  [WINDOW]
        mov     eax, [WINDOW]
        dec     ecx
        jnz     .loop
        ret

        align   16
; 7: INVLPG and touch: what 3 costs without the write
invlpg_touch:
        align   16
.loop:  invlpg  [WINDOW]
        mov     eax, [WINDOW]
        dec     ecx
        jnz     .loop
        ret

        align   4
table:  dd arith, loadstore, reload, ptewrite, callret, exits, trapped, invlpg_touch
gdt:    dq 0
        dq 0x00cf9a000000ffff
        dq 0x00cf92000000ffff
gdtr:   dw 23
        dd gdt
end:
