; quadrant: the smallest guest that shows why KVM must respect the quadrant of a shadow page.
; (Linux commit fce0657ff9f1; docs/kvm-shadow-mmu.md 3.3, 6.2, 6.4, 6.6, 6.7, 9.2. Paging: SDM vol. 3, 4.3.)
;
; The story. This guest uses 2-level paging without PAE: a page table has 1024 entries of 4 bytes and spans 4 MiB.
; Shadow tables have 512 entries of 8 bytes and span 2 MiB, so the page table at gfn 0x1234 gets two shadow pages:
; quadrant 0 for PTEs 0 to 511 ("left"), quadrant 1 for PTEs 512 to 1023 ("right"). The page directory at gfn 0x1
; gets four. PTE 72 (gva 0x08048000) and PTE 584 (gva 0x08248000) have the same index, 72, in their shadow pages.
;   When the guest writes PTE 584, all shadow pages of gfn 0x1234 are found by their gfn. Policy P clears entry 72 of
; both: harmless, but the left page costs one more refill. B looks at the quadrant and clears the right one only.
; C then writes the new entry into it at once. D is C without the quadrant: it also writes the new frame into the left
; shadow page, where it does not belong, and nothing will ever correct that: the left page now shows the right one's
; bytes, and stores to it land there. The program sees this by itself and prints WRONG.
;
; The rules of the game: PTEs are written as Linux writes them, accessed (and dirty, when writable) already set, or the
; update in place would not act (6.6). And each write is followed by `breathe`, a page fault of the guest's own, which
; sets the flood detector back to 0 under every policy (6.3): else the third write in a row would zap the whole page.
; `clear_accessed` and `flood` break one of these rules each, on purpose.
;
; Guest-physical memory:
;   0x0001000 page directory       0x0002000 page table of 0 to 4 MiB     0x0003000 page table of 16 to 20 MiB
;   0x0100000 this program         0x1234000 the page table of the story (PDE 32)
;   0x1235000, 0x1236000, 0x1237000 page tables of the directory's other quadrants (PDE 288, 544, 800)
;   0x1238000 a second table for PDE 288       0x5670000 and on: frames, each full of its own name

        org     0x100000
        bits    32

section .text
section .data follows=.text align=16
section .bss nobits follows=.data align=16

%include "common/multiboot.inc"
        multiboot_header 0, start, image_end

PAGE_DIRECTORY  equ 0x0001000
LOW_TABLE       equ 0x0002000
TABLES_TABLE    equ 0x0003000
TABLE           equ 0x1234000           ; PDE 32: the page table of the story
TABLE_Q1        equ 0x1235000           ; PDE 288, second quadrant of the directory
TABLE_Q2        equ 0x1236000           ; PDE 544
TABLE_Q3        equ 0x1237000           ; PDE 800
TABLE_Q1_NEW    equ 0x1238000

LEFT            equ 0x08048000          ; PTE 72 of TABLE: quadrant 0, index 72
RIGHT           equ 0x08248000          ; PTE 584 of TABLE: quadrant 1, index 72
LAZY            equ 0x08249000          ; PTE 585
FLOOD           equ 0x08064000          ; PTE 100 and on
WINDOW_Q1       equ 0x48048000          ; PDE 288, PTE 72
WINDOW_Q2       equ 0x88048000          ; PDE 544
WINDOW_Q3       equ 0xC8048000          ; PDE 800
NOWHERE         equ 0x0BAD0000          ; PDE 46 is not present: every touch is a guest page fault

LEFT_FRAME      equ 0x5670000
LEFT_NEW        equ 0x5671000
RIGHT_FRAME     equ 0x5677000
RIGHT_NEW       equ 0x5678000
LAZY_FRAME      equ 0x5679000
Q1_FRAME        equ 0x5681000
Q2_FRAME        equ 0x5682000
Q3_FRAME        equ 0x5683000
Q1_NEW          equ 0x5684000
FLOOD_FRAMES    equ 0x5690000           ; eight of them

; Entry bits, SDM vol. 3, table 4-6
P               equ 0x01
W               equ 0x02
U               equ 0x04
A               equ 0x20
D               equ 0x40
READY           equ P | W | U | A | D   ; 0x67: a page as Linux maps it when it is about to be written
DIRECTORY       equ P | W | U | A       ; 0x27

%define pte(table, gva) (table + (((gva) >> 12) & 1023) * 4)
%define pde(gva) (PAGE_DIRECTORY + ((gva) >> 22) * 4)

%include "common/serial.inc"

section .text
start:
        mov     esp, stack_top
        cld
        call    serial_init
        lgdt    [gdt_pointer]
        jmp     0x08:.segments
.segments:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        call    build_idt
        call    name_frames
        call    build_tables
        mov     eax, PAGE_DIRECTORY
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000         ; PG and WP
        mov     cr0, eax

        say     "quadrant: one page table, two shadow pages; one directory, four", 10
        ; Touch both halves: each gets its shadow page, and both shadow entries number 72 are in use.
touch_both:
        say     "both halves of the page table at gfn 1234 are in use", 10
        call    check_both

        ; ---- 1. A PTE of the right half. Look at the left half's shadow page. ----
        mov     eax, RIGHT_NEW | READY
first_write:
        mov     [pte(TABLE, RIGHT)], eax
        invlpg  [RIGHT]
        call    breathe
        mov     dword [want_right], RIGHT_NEW
        say     "PTE 584 now names frame 5678; PTE 72 was not written", 10
first_check:
        call    check_both

        ; ---- 2. The other way round: a PTE of the left half. ----
        mov     eax, LEFT_NEW | READY
second_write:
        mov     [pte(TABLE, LEFT)], eax
        invlpg  [LEFT]
        call    breathe
        mov     dword [want_left], LEFT_NEW
        say     "PTE 72 now names frame 5671; PTE 584 was not written", 10
        call    check_both

        ; ---- 3. A store through the left page, after another write to the right PTE: where does it land? ----
        mov     eax, RIGHT_FRAME | READY
third_write:
        mov     [pte(TABLE, RIGHT)], eax
        invlpg  [RIGHT]
        call    breathe
        mov     dword [want_right], RIGHT_FRAME
store_left:
        mov     dword [LEFT + 16], "left"
        say     "PTE 584 names frame 5677 again; a store to the left page must not show in the right one", 10
        call    check_both
        mov     eax, [RIGHT + 16]
        mov     edx, "RIGH"
        call    check_store

        ; ---- 4. A clean accessed bit: update_pte leaves the entry clear, and the first touch refills it. ----
        mov     eax, LAZY_FRAME | P | W | U
clear_accessed:
        mov     [pte(TABLE, LAZY)], eax
        invlpg  [LAZY]
        call    breathe
        say     "PTE 585 written without A: the first touch sets it, the first store sets D", 10
        mov     esi, LAZY
        mov     edx, LAZY_FRAME
        call    check_page
        mov     edx, P | W | U | A
        call    check_bits
        mov     byte [LAZY + 4095], '!'
        mov     edx, READY
        call    check_bits

        ; ---- 5. The directory: four quadrants. Index 64 and 65 are in use in each of its four shadow pages. ----
touch_directory:
        say     "four quadrants of the page directory at gfn 0001 are in use", 10
        call    check_four
        mov     eax, TABLE_Q1_NEW | DIRECTORY
directory_write:
        mov     [pde(WINDOW_Q1)], eax
        invlpg  [WINDOW_Q1]
        call    breathe
        mov     dword [want_q1], Q1_NEW
        say     "PDE 288 now names table 1238; PDEs 32, 544 and 800 were not written", 10
        call    check_four

        ; ---- 6. The flood: eight writes in a row and no fault between. The third zaps all shadow pages of the gfn. ----
        mov     ecx, 8
        mov     edi, pte(TABLE, FLOOD)
        mov     eax, FLOOD_FRAMES | READY
flood:
        mov     [edi], eax
        add     edi, 4
        add     eax, 0x1000
        dec     ecx
        jnz     flood
        say     "PTEs 100 to 107 written in a row", 10
        mov     ecx, 8
        mov     esi, FLOOD
        mov     edx, FLOOD_FRAMES
.check:
        call    check_page
        add     esi, 0x1000
        add     edx, 0x1000
        dec     ecx
        jnz     .check
        ; The shadow pages came back with these touches, so the next write is trapped and chosen by quadrant again.
        call    check_both
        mov     eax, RIGHT_NEW | READY
last_write:
        mov     [pte(TABLE, RIGHT)], eax
        invlpg  [RIGHT]
        call    breathe
        mov     dword [want_right], RIGHT_NEW
        say     "PTE 584 once more", 10
        call    check_both

finish:
        say     "end: "
        mov     eax, [wrong]
        call    putdec
        say     " wrong", 10
stop:
        cli
        hlt
        jmp     stop

; A page fault of the guest's own. KVM sets its flood counter back when it injects one (6.3). The handler skips the read.
breathe:
        mov     al, [NOWHERE]
breathe_end:
        ret

; The left and the right page, each against the frame that its PTE names.
check_both:
        say     "  left  08048000 "
        mov     esi, LEFT
        mov     edx, [want_left]
        call    check_page_in_line
        say     "  right 08248000 "
        mov     esi, RIGHT
        mov     edx, [want_right]
        jmp     check_page_in_line

; The same page table index through all four quadrants of the directory.
check_four:
        say     "  q0 08048000 "
        mov     esi, LEFT
        mov     edx, [want_left]
        call    check_page_in_line
        say     "  q1 48048000 "
        mov     esi, WINDOW_Q1
        mov     edx, [want_q1]
        call    check_page_in_line
        say     "  q2 88048000 "
        mov     esi, WINDOW_Q2
        mov     edx, Q2_FRAME
        call    check_page_in_line
        say     "  q3 c8048000 "
        mov     esi, WINDOW_Q3
        mov     edx, Q3_FRAME
        jmp     check_page_in_line

; ESI = gva of a page, EDX = the frame it must show: prints the name found there, and "ok" or what should be there.
check_page:
        push    eax
        say     "  "
        mov     eax, esi
        call    puthex
        say     " "
        pop     eax
check_page_in_line:
        pushad
        say     "shows "
        mov     ecx, 16
        call    put_bytes
        push    esi
        call    name_of                 ; ESI = the name it should have
        mov     edi, esi
        pop     ebx
        xchg    esi, ebx                ; ESI = the page, EDI = EBX = the name
        mov     ecx, 4
        repe    cmpsd
        je      .right
        inc     dword [wrong]
        say     "  WRONG, should be "
        mov     esi, ebx
        mov     ecx, 16
        call    put_bytes
        say     10
        popad
        ret
.right:
        say     "  ok", 10
        popad
        ret

; EAX = what was read behind the right page's name, EDX = what must be there
check_store:
        cmp     eax, edx
        jne     .wrong
        say     "  the store did not reach the right page  ok", 10
        ret
.wrong:
        inc     dword [wrong]
        say     "  the store went into the right page  WRONG", 10
        ret

; EDX = the low bits that PTE 585 must have
check_bits:
        mov     eax, [pte(TABLE, LAZY)]
        and     eax, 0xfff
        say     "  PTE 585 bits "
        call    puthex
        cmp     eax, edx
        jne     .wrong
        say     "  ok", 10
        ret
.wrong:
        inc     dword [wrong]
        say     "  WRONG", 10
        ret

; EDX = frame address; answers ESI = its 16-byte name
name_of:
        mov     esi, names
.next:  cmp     [esi], edx
        je      .found
        add     esi, 20
        jmp     .next
.found: add     esi, 4
        ret

; The page-fault handler: knows exactly one fault, the read in `breathe`, and skips it.
page_fault:
        push    eax
        mov     eax, cr2
        cmp     eax, NOWHERE
        jne     unexpected
        mov     dword [esp + 8], breathe_end
        pop     eax
        add     esp, 4                  ; the error code
        iretd

unexpected:
        say     "unexpected exception", 10
        jmp     stop

%include "quadrant/setup.inc"
bss_end:
