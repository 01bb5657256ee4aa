; nanobench: the small loops with which virtualisation is measured, as one guest. Four of them are the nanobenchmarks of
; K. Adams and O. Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization", ASPLOS 2006,
; section 6.3 (syscall, in, call/ret, pgfault, divzero, ptemod; cr8wr needs long mode and is not here); the rest are the
; loads on which shadow paging lives or dies: demand paging, fork and wait, context switches, filling a page table.
;
; The programs measure nothing themselves. Whoever measures stores the number of a program in `wanted`, how often it is
; to go round in `rounds`, how many pages and address spaces it uses in `pages` and `spaces` (and whether pages come in pairs in `paired`), runs to the label `begin`
; and from there to the label `end`, and counts what the machine did between them. Left alone, the guest runs every
; program `rounds` times and says so on the serial port.
;
; Guest-physical memory: 0x1000 directory; 0x2000 table of 0 to 4 MiB (identity); 0x100000 this program;
; 0x300000 TABLE (4 to 8 MiB, the test area); 0x301000 FILLED (16 to 20 MiB); 0x302000 and 0x303000 the child's directory
; and table; 0x310000 directories and 0x330000 tables of the address spaces; 8 to 12 MiB FRAMES, 12 to 16 MiB COPIES, both
; mapped where they are by 4 MiB pages, as a kernel maps all of its memory.

        org     0x100000
        bits    32

section .text
section .data follows=.text align=16
section .bss nobits follows=.data align=16

%include "common/multiboot.inc"
        multiboot_header 0, start, image_end

DIRECTORY       equ 0x001000
LOW_TABLE       equ 0x002000
TABLE           equ 0x300000
FILLED          equ 0x301000
CHILD_DIRECTORY equ 0x302000
CHILD_TABLE     equ 0x303000
DIRECTORIES     equ 0x310000
TABLES          equ 0x330000
MOST_SPACES     equ 32
AREA            equ 0x400000            ; the test area, PDE 1
FRAMES          equ 0x800000
COPIES          equ 0xc00000
FILLED_AREA     equ 0x1000000           ; PDE 4
NOWHERE         equ 0x2000000           ; PDE 8 is not present
STRIDE          equ 17                  ; pages in use are this many entries apart: both halves of the table

P               equ 0x01
W               equ 0x02
U               equ 0x04
A               equ 0x20
D               equ 0x40
PS              equ 0x80
READY           equ P | W | U | A | D   ; a page as Linux maps it when it is about to be written
LINK            equ P | W | U | A

KCODE           equ 0x08                ; the order that SYSENTER and SYSEXIT ask for (SDM vol. 2)
KDATA           equ 0x10
UCODE           equ 0x18 | 3
UDATA           equ 0x20 | 3
TSS             equ 0x28

PF_SKIP         equ 0                   ; what the page-fault handler is to do: go on behind the instruction (2 bytes),
PF_MAP          equ 1                   ; or map a page, or give it a copy of its own

%include "common/serial.inc"

section .text
start:
        mov     esp, stack_top
        cld
        lgdt    [gdt_pointer]
        jmp     KCODE:.segments
.segments:
        mov     eax, UDATA
        mov     ds, eax
        mov     es, eax
        mov     eax, KDATA
        mov     ss, eax
        call    build_tables
        call    build_gates
        mov     eax, cr4
        or      eax, 0x10               ; PSE
        mov     cr4, eax
        mov     eax, DIRECTORY
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000         ; PG and WP
        mov     cr0, eax
        mov     ebx, [wanted]
        cmp     ebx, PROGRAMS
        jae     every
        mov     ecx, 4                  ; a few rounds first: code and tables are in use when the counting begins
        call    [programs + ebx * 4]
        mov     ecx, [rounds]
begin:
        call    [programs + ebx * 4]
end:
        cli
        hlt
        jmp     end

every:
        call    serial_init
        xor     ebx, ebx
.next:  mov     ecx, [rounds]
        call    [programs + ebx * 4]
        mov     esi, [names + ebx * 4]
        call    puts
        say     10
        inc     ebx
        cmp     ebx, PROGRAMS
        jb      .next
        say     "end: every program went its rounds", 10
        jmp     end

; A program that this processor cannot run ends here.
absent:
        ret

; ---- The programs. ECX = rounds; EBX is kept. ----

; The loop alone: what all others have around them.
empty:
.next:  dec     ecx
        jnz     .next
        ret

callret:
.next:  call    nothing
        dec     ecx
        jnz     .next
        ret
nothing:
        ret

; Reads a port that no device claims.
port_in:
.next:  in      al, 0x80
        dec     ecx
        jnz     .next
        ret

divzero:
        xor     esi, esi
        mov     eax, 1
        xor     edx, edx
.next:  div     esi                     ; two bytes; the handler goes on behind them
        dec     ecx
        jnz     .next
        ret

pgfault:
        mov     dword [on_fault], PF_SKIP
        mov     edi, NOWHERE
.next:  mov     al, [edi]               ; two bytes
        dec     ecx
        jnz     .next
        ret

; INT 0x80 from CPL 3 and back.
syscall:
        mov     [kernel_esp], esp
        push    dword UDATA
        push    dword user_stack_top
        push    dword 2
        push    dword UCODE
        push    dword .user
        iretd
.user:  int     0x80
        dec     ecx
        jnz     .user
        int     0x81                    ; back to CPL 0, to .done

; INT 0x81: leaves CPL 3 for good.
leave_user:
        mov     esp, [kernel_esp]
        ret

; SYSENTER from CPL 3 and SYSEXIT back (SDM vol. 2), where CPUID says that they are there.
sysenter_loop:
        push    ebx
        push    ecx
        mov     eax, 1
        cpuid
        pop     ecx
        pop     ebx
        test    edx, 1 << 11            ; SEP
        jz      absent
        mov     esi, ecx
        xor     edx, edx
        mov     eax, KCODE
        mov     ecx, 0x174              ; IA32_SYSENTER_CS
        wrmsr
        mov     eax, trap_stack_top
        mov     ecx, 0x175              ; IA32_SYSENTER_ESP
        wrmsr
        mov     eax, .entry
        mov     ecx, 0x176              ; IA32_SYSENTER_EIP
        wrmsr
        mov     [kernel_esp], esp
        push    dword UDATA
        push    dword user_stack_top
        push    dword 2
        push    dword UCODE
        push    dword .user
        iretd
.user:  mov     edx, .back
        mov     ecx, esp
        sysenter
.back:  dec     esi
        jnz     .user
        int     0x81
.entry: sysexit

; Stores one page-table entry. Nobody uses the page: as in the paper.
ptemod:
        mov     eax, FRAMES + 72 * 0x1000 | READY
        mov     dl, [AREA + 72 * 0x1000]
.next:  mov     [TABLE + 72 * 4], eax
        dec     ecx
        jnz     .next
        ret

; Stores one page-table entry, and uses the page: what a kernel does that maps something.
ptemod_use:
        mov     eax, FRAMES + 72 * 0x1000 | READY
.next:  mov     [TABLE + 72 * 4], eax
        invlpg  [AREA + 72 * 0x1000]
        mov     dl, [AREA + 72 * 0x1000]
        dec     ecx
        jnz     .next
        ret

; Writes a whole page table, entry by entry, that is in use; then takes it down.
ptfill:
.next:  push    ecx
        mov     eax, FRAMES | READY
        mov     [FILLED], eax
        invlpg  [FILLED_AREA]
        mov     dl, [FILLED_AREA]
        mov     edi, FILLED
        mov     ecx, 1024
.entry: mov     [edi], eax
        add     edi, 4
        add     eax, 0x1000
        dec     ecx
        jnz     .entry
        mov     edi, FILLED
        mov     ecx, 1024
        xor     eax, eax
.clear: mov     [edi], eax
        add     edi, 4
        dec     ecx
        jnz     .clear
        call    flush
        pop     ecx
        dec     ecx
        jnz     .next
        ret

; Demand paging: [pages] pages are taken away and come back, each by a fault of its own.
demand:
        mov     dword [on_fault], PF_MAP
.next:  push    ecx
        call    unmap_area
        call    flush
        call    write_area
        pop     ecx
        dec     ecx
        jnz     .next
        ret

; A working set in one half of a page table, and in the other half pages that come and go one by one: each is mapped by a
; fault, used beside the page of the same index in the working set, and taken away.
window:
        mov     dword [on_fault], PF_MAP
.next:  push    ecx
        mov     ecx, [pages]
.page:  lea     esi, [ecx - 1]
        and     esi, 511
        lea     edi, [esi + 512]
        mov     dword [TABLE + edi * 4], 0
        shl     esi, 12
        shl     edi, 12
        invlpg  [AREA + edi]
        mov     [AREA + edi], ecx       ; the fault
        mov     eax, [AREA + esi]       ; the working set
        dec     ecx
        jnz     .page
        pop     ecx
        dec     ecx
        jnz     .next
        ret

; fork and wait: the child gets a copy of the table, both copy on write; it writes a quarter of the pages and ends; the
; parent writes all of them again.
forkwait:
        mov     dword [on_fault], PF_MAP
.next:  push    ecx
        call    fork
        call    flush                   ; as Linux does behind the parent's write protection
        mov     eax, CHILD_DIRECTORY
        mov     cr3, eax
        mov     dword [table], CHILD_TABLE
        mov     ecx, [pages]
        shr     ecx, 2
        inc     ecx
        call    write_some
        mov     eax, DIRECTORY
        mov     cr3, eax
        mov     dword [table], TABLE
        mov     esi, CHILD_TABLE        ; the child's pages are given back, one by one
        mov     ecx, 1024
.exit:  test    dword [esi], P
        jz      .gone
        mov     dword [esi], 0
.gone:  add     esi, 4
        dec     ecx
        jnz     .exit
        call    write_area
        pop     ecx
        dec     ecx
        jnz     .next
        ret

fork:
        mov     esi, DIRECTORY
        mov     edi, CHILD_DIRECTORY
        mov     ecx, 1024
        rep     movsd
        mov     dword [CHILD_DIRECTORY + 4], CHILD_TABLE | LINK
        mov     esi, TABLE
        mov     edi, CHILD_TABLE
        mov     ecx, 1024
.entry: mov     eax, [esi]
        test    al, P
        jz      .skip
        test    al, W
        jz      .same
        and     al, ~W
        mov     [esi], eax
.same:  mov     [edi], eax
.skip:  add     esi, 4
        add     edi, 4
        dec     ecx
        jnz     .entry
        ret

; Goes round [spaces] address spaces and reads [pages] pages in each.
switch:
.next:  push    ecx
        mov     ebp, DIRECTORIES
        mov     edx, [spaces]
.space: mov     cr3, ebp
        call    read_area
        add     ebp, 0x1000
        dec     edx
        jnz     .space
        pop     ecx
        dec     ecx
        jnz     .next
        mov     eax, DIRECTORY
        mov     cr3, eax
        ret

; Reads and writes [pages] pages, a page at a time, with nothing changed in between: walks and nothing else.
walks:
.next:  push    ecx
        call    flush
        call    read_area
        pop     ecx
        dec     ecx
        jnz     .next
        ret

; ---- Parts ----

; The index in the table of page number EAX -> EAX: STRIDE entries apart modulo the table; with [paired] set, pages come
; in pairs of the same index in both halves of the table, so that ignoring the quadrant costs the most it can.
page_index:
        cmp     dword [paired], 0
        jne     .paired
        imul    eax, eax, STRIDE
        and     eax, 1023
        ret
.paired:
        push    edx
        mov     edx, eax
        and     edx, 1
        shl     edx, 9
        shr     eax, 1
        imul    eax, eax, STRIDE
        and     eax, 511
        or      eax, edx
        pop     edx
        ret

; Its linear address -> EAX
%macro area_page 0
        call    page_index
        shl     eax, 12
        add     eax, AREA
%endmacro

write_area:
        mov     ecx, [pages]
; ECX = how many
write_some:
.next:  lea     eax, [ecx - 1]
        area_page
        mov     [eax], ecx
        dec     ecx
        jnz     .next
        ret

read_area:
        mov     ecx, [pages]
.next:  lea     eax, [ecx - 1]
        area_page
        mov     eax, [eax]
        dec     ecx
        jnz     .next
        ret

unmap_area:
        mov     ecx, [pages]
        xor     edx, edx
.next:  lea     eax, [ecx - 1]
        call    page_index
        mov     [TABLE + eax * 4], edx
        dec     ecx
        jnz     .next
        ret

map_area:
        xor     eax, eax
        mov     edx, FRAMES | READY
.next:  mov     [TABLE + eax * 4], edx
        add     edx, 0x1000
        inc     eax
        cmp     eax, 1024
        jb      .next
        ret

flush:
        mov     eax, cr3
        mov     cr3, eax
        ret

; ---- Traps ----

on_divide:
        add     dword [esp], 2
        iretd

on_syscall:
        iretd

on_page_fault:
        cmp     dword [on_fault], PF_SKIP
        jne     .map
        add     esp, 4
        add     dword [esp], 2
        iretd
.map:   pushad
        mov     eax, cr2
        shr     eax, 12
        and     eax, 1023
        mov     edi, [table]
        test    byte [esp + 32], P
        jnz     .write
        mov     edx, eax                ; demand paging: a frame of its own
        shl     edx, 12
        add     edx, FRAMES | READY
        jmp     .store
.write: mov     edx, [edi + eax * 4]    ; copy on write
        cmp     edi, CHILD_TABLE
        jne     .own
        push    edi
        mov     esi, edx
        and     esi, ~0xfff
        mov     edi, eax
        shl     edi, 12
        add     edi, COPIES
        lea     edx, [edi + (READY & ~W)]
        mov     ecx, 1024
        rep     movsd
        pop     edi
.own:   or      edx, W | D
.store: mov     [edi + eax * 4], edx
        mov     eax, cr2
        invlpg  [eax]
        popad
        add     esp, 4
        iretd

; Anything else is a mistake in this program.
unexpected:
        call    serial_init
        say     "end: WRONG, an exception that nobody expected", 10
        jmp     end

; ---- Before paging ----

build_tables:
        mov     edi, DIRECTORY
        mov     ecx, 1024
        xor     eax, eax
        rep     stosd
        mov     edi, LOW_TABLE
        mov     eax, READY
.low:   stosd
        add     eax, 0x1000
        cmp     eax, 0x400000
        jb      .low
        mov     edi, FILLED             ; the filled table, the child's directory and table
        mov     ecx, 3 * 1024
        xor     eax, eax
        rep     stosd
        call    map_area
        mov     dword [DIRECTORY + 0 * 4], LOW_TABLE | LINK
        mov     dword [DIRECTORY + 1 * 4], TABLE | LINK
        mov     dword [DIRECTORY + 2 * 4], FRAMES | READY | PS
        mov     dword [DIRECTORY + 3 * 4], COPIES | READY | PS
        mov     dword [DIRECTORY + 4 * 4], FILLED | LINK
        mov     ebx, 0                  ; the address spaces: a directory and a table each, the same frames
.space: mov     esi, DIRECTORY
        lea     edi, [DIRECTORIES + ebx]
        mov     ecx, 1024
        rep     movsd
        lea     eax, [TABLES + ebx + LINK]
        mov     [DIRECTORIES + ebx + 4], eax
        mov     esi, TABLE
        lea     edi, [TABLES + ebx]
        mov     ecx, 1024
        rep     movsd
        add     ebx, 0x1000
        cmp     ebx, MOST_SPACES * 0x1000
        jb      .space
        ret

; EAX = handler, EDI = gate, DL = its type and DPL
store_gate:
        mov     [edi], ax
        mov     word [edi + 2], KCODE
        mov     byte [edi + 4], 0
        mov     [edi + 5], dl
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        ret

build_gates:
        mov     edi, idt
        mov     ecx, 32
        mov     dl, 0x8e                ; 32-bit interrupt gate, DPL 0
.next:  mov     eax, unexpected
        call    store_gate
        dec     ecx
        jnz     .next
        mov     edi, idt
        mov     eax, on_divide
        call    store_gate
        mov     edi, idt + 14 * 8
        mov     eax, on_page_fault
        call    store_gate
        mov     edi, idt + 0x80 * 8
        mov     dl, 0xee                ; DPL 3
        mov     eax, on_syscall
        call    store_gate
        mov     eax, leave_user
        call    store_gate
        lidt    [idt_pointer]
        mov     dword [tss + 4], trap_stack_top
        mov     dword [tss + 8], KDATA
        mov     word [tss + 102], 104
        mov     eax, tss
        mov     [gdt + TSS + 2], ax
        shr     eax, 16
        mov     [gdt + TSS + 4], al
        mov     [gdt + TSS + 7], ah
        mov     eax, TSS
        ltr     ax
        ret

section .data
        align   8
gdt:    dq      0
        dq      0x00cf9b000000ffff      ; 0x08 flat code
        dq      0x00cf93000000ffff      ; 0x10 flat data
        dq      0x00cffb000000ffff      ; 0x18 flat code, DPL 3
        dq      0x00cff3000000ffff      ; 0x20 flat data, DPL 3
        dq      0x0000890000000067      ; 0x28 TSS; its base is stored at the start
gdt_pointer:
        dw      gdt_pointer - gdt - 1
        dd      gdt
idt_pointer:
        dw      0x82 * 8 - 1
        dd      idt

; What whoever measures may store before the guest starts.
wanted:         dd -1                   ; the number of a program; anything else: all of them
rounds:         dd 8
pages:          dd 64                   ; at most 1024
spaces:         dd 4                    ; at most MOST_SPACES
paired:         dd 0

on_fault:       dd PF_SKIP
table:          dd TABLE                ; the table of the address space that runs
kernel_esp:     dd 0

%macro text 2
name_%1:        db %2, 0
%endmacro
        text    empty, "empty"
        text    callret, "call/ret"
        text    port_in, "in"
        text    divzero, "divzero"
        text    pgfault, "pgfault"
        text    syscall, "syscall"
        text    sysenter_loop, "sysenter"
        text    ptemod, "ptemod"
        text    ptemod_use, "ptemod and use"
        text    ptfill, "page-table fill"
        text    demand, "demand paging"
        text    forkwait, "forkwait"
        text    switch, "context switch"
        text    walks, "walks"
        text    window, "window"

        align   4
%macro list 1-*
programs:
%rep %0
        dd      %1
%rotate 1
%endrep
PROGRAMS        equ ($ - programs) / 4
names:
%rep %0
        dd      name_%1
%rotate 1
%endrep
%endmacro
        list    empty, callret, port_in, divzero, pgfault, syscall, sysenter_loop, ptemod, ptemod_use, ptfill, demand, forkwait, switch, walks, window
image_end:

section .bss
        alignb  8
idt:    resb    0x82 * 8
tss:    resb    104
        alignb  16
        resb    4096
stack_top:
        resb    4096
trap_stack_top:
        resb    4096
user_stack_top:
bss_end:
