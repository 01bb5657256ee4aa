; nonpae-kernel: a small kernel with 2-level paging (SDM vol. 3, 4.3): what its shadow has to follow.
;
; It is loaded at 1 MiB and runs at 0xC0100000. In order:
;   boot         identity and higher-half mapping by one shared page table; 4 MiB pages (CR4.PSE) behind it
;   large pages  A and D of a 4 MiB page; the same frame through a large and a small page
;   user         a task at CPL 3: system calls, demand paging, refused accesses, fork with copy-on-write (common/user.inc)
;   sweeps       a page table of 1024 entries filled, remapped, emptied, and changed by every kind of store (common/sweeps.inc)
;   directory    one page table under four entries of the directory, one in each quadrant; two tables in turn
;   self map     the directory as its own page table: entries written through 0xffc00000
;   protection   CR0.WP, read-only pages, A and D bits
; Every stage prints a line. Sums are over values that a reader can compute: the test's model does.
; INVLPG follows every change of a present entry (SDM vol. 3, 4.10.4), none follows a change from not present.
;
; Guest-physical memory:
;   0x0100000 kernel    0x0200000 its tables    0x0300000 - 0x3fffff unused
;   0x0400000 frames for tasks and tables       0x0800000 256 frames for the sweeps     0x0c00000 a large page

KBASE           equ 0xC0000000
ENTRY_SIZE      equ 4
POOL            equ 0x00400000
POOL_FRAMES     equ 512
NX_TEST         equ 0

DIRECTORY       equ 0x00200000          ; the kernel's page directory, also the first task's
LOW_TABLE       equ 0x00201000          ; 0 to 4 MiB; used by PDE 0 (while booting) and by PDE 768
SWEEP_TABLE     equ 0x00202000          ; PDE 128
OTHER_TABLE     equ 0x00203000          ; a second table for the directory stage
TABLES_END      equ 0x00204000
WINDOW          equ 0x20000000          ; what PDE 128 maps
SWEEP_FRAMES    equ 0x00800000          ; 256 frames
LARGE           equ 0x00c00000          ; the frame of the large page whose A and D are looked at
LARGE_GVA       equ KBASE + LARGE       ; PDE 771

        org     0xC0100000
        bits    32
section .text
section .data follows=.text align=16
section .user follows=.data vstart=0x08048000 align=16
section .bss nobits start=0xC0110000 align=16

%include "common/multiboot.inc"
        multiboot_header KBASE, entry, section..user.start + user_program_end - user_program
%include "common/serial.inc"
%include "common/kernel.inc"
%include "common/tasks.inc"

%define pde(gva) (KBASE + DIRECTORY + ((gva) >> 22) * 4)
%define pte(table, gva) (KBASE + table + (((gva) >> 12) & 1023) * 4)

section .text

; Paging is off: every address of ours is used with KBASE taken off.
entry:
        mov     esp, PHYS(main_stack_top)
        cld
        lgdt    [PHYS(boot_gdt_pointer)]
        jmp     KCODE:PHYS(.segments)
.segments:
        mov     eax, KDATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     edi, DIRECTORY
        mov     ecx, (TABLES_END - DIRECTORY) / 4
        xor     eax, eax
        rep     stosd
        mov     edi, LOW_TABLE
        mov     eax, KERNEL_PAGE
        mov     ecx, 1024
.low:   stosd
        add     eax, 0x1000
        dec     ecx
        jnz     .low
        mov     dword [pde(0) - KBASE], LOW_TABLE | KERNEL_DIR
        mov     dword [pde(KBASE) - KBASE], LOW_TABLE | KERNEL_DIR
        mov     dword [pde(WINDOW) - KBASE], SWEEP_TABLE | KERNEL_DIR
        mov     dword [pde(KBASE + 0x400000) - KBASE], 0x400000 | KERNEL_PAGE | PS
        mov     dword [pde(KBASE + 0x800000) - KBASE], 0x800000 | KERNEL_PAGE | PS
        mov     dword [pde(LARGE_GVA) - KBASE], LARGE | P | W | PS
        mov     eax, cr4
        or      eax, 0x10               ; PSE
        mov     cr4, eax
        mov     eax, DIRECTORY
        mov     cr3, eax
paging_on:
        mov     eax, cr0
        or      eax, 0x80010000         ; PG and WP
        mov     cr0, eax
        mov     eax, higher_half
        jmp     eax

higher_half:
        mov     esp, main_stack_top
        call    serial_init
        call    load_tables
        say     "nonpae-kernel: 2-level paging, pages of 4 KiB and 4 MiB", 10
        call    stage_boot
        call    stage_large
        call    stage_user
        call    stage_sweeps
        call    stage_directory
        call    stage_self_map
        call    stage_protection
        jmp     the_end

; The same bytes through both mappings; then the identity mapping goes.
stage_boot:
        mov     esi, 0x100000
        mov     edi, KBASE + 0x100000
        mov     ecx, 1024
        repe    cmpsd
        say     "boot: words that differ between identity and higher half "
        mov     eax, ecx
        xor     edx, edx
        call    report
        mov     dword [pde(0)], 0
        mov     eax, cr3
        mov     cr3, eax
        faulting mov eax, [0x100000]
        say     "boot: identity mapping gone, reading it             "
        mov     eax, [fault_info]
        mov     edx, 0x000e0000         ; #PF, supervisor read, not present
        jmp     report

; A and D of a large page are set by the processor; then its frame is read through a 4 KiB page.
stage_large:
        mov     eax, [LARGE_GVA + 0x123000]
        say     "large: bits of PDE 771 after a read  "
        mov     eax, [pde(LARGE_GVA)]
        and     eax, 0xfff
        mov     edx, P | W | A | PS
        call    report
        mov     edi, LARGE_GVA
        mov     eax, 1
        mov     ecx, 4096
.fill:  mov     [edi], eax
        imul    eax, eax, 0x343fd       ; a linear congruential generator
        add     eax, 0x269ec3
        add     edi, 1024
        dec     ecx
        jnz     .fill
        say     "large: bits of PDE 771 after stores  "
        mov     eax, [pde(LARGE_GVA)]
        and     eax, 0xfff
        mov     edx, P | W | A | D | PS
        call    report
        ; 4 MiB, 1 KiB apart, through 4 KiB pages: the window gets the whole large page.
        mov     edi, pte(SWEEP_TABLE, WINDOW)
        mov     eax, LARGE | KERNEL_PAGE
        mov     ecx, 1024
.map:   stosd
        add     eax, 0x1000
        dec     ecx
        jnz     .map
        xor     eax, eax
        mov     esi, WINDOW
        mov     ecx, 4096
.sum:   rol     eax, 5
        add     eax, [esi]
        add     esi, 1024
        dec     ecx
        jnz     .sum
        say     "large: checksum through 4 KiB pages  "
        call    result
        mov     edi, pte(SWEEP_TABLE, WINDOW)
        call    clear_table
        mov     eax, cr3
        mov     cr3, eax
        ret

%include "nonpae-kernel/spaces.inc"
%include "common/sweeps.inc"
%include "nonpae-kernel/directory.inc"
%include "nonpae-kernel/protection.inc"
%include "common/stages.inc"
%include "common/user.inc"
section .bss
bss_end:
