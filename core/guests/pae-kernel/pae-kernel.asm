; pae-kernel: a small kernel with PAE paging (SDM vol. 3, 4.4): 8-byte entries, execute-disable, frames above 4 GiB.
;
; It is loaded at 1 MiB and runs at 0xC0100000. In order:
;   boot         identity and higher-half mapping; PAE, global pages (CR4.PGE), execute-disable (EFER.NXE)
;   large pages  A and D of a 2 MiB page; the same frames through small pages
;   user         a task at CPL 3: system calls, demand paging, refused accesses (a fetch from a page that is not
;                executable among them), fork with copy-on-write (common/user.inc)
;   sweeps       a page table of 512 entries filled, remapped, emptied, and changed by every kind of store
;   directories  one page table under all four directories; a PDPTE that takes effect at the next load of CR3 only (4.4.1)
;   high         memory at 4 GiB: small and large pages, and a page table that lies there itself
;   protection   NX at both levels, reserved bits, CR0.WP, A and D bits
; Every stage prints a line. An entry that becomes present gets its high word first, one that goes loses its low word
; first: never is half an entry in force. INVLPG or a load of CR3 follows every change of a present entry.
;
; Guest-physical memory:
;   0x0100000 kernel    0x0200000 its tables
;   0x0400000 frames for tasks and tables       0x0800000 256 frames for the sweeps     0x0c00000 a large page
;   0x100000000 and on: 16 MiB above 4 GiB, when the boot information tells of them

KBASE           equ 0xC0000000
ENTRY_SIZE      equ 8
POOL            equ 0x00400000
POOL_FRAMES     equ 512
NX_TEST         equ 1

POINTERS        equ 0x00200000          ; the page-directory-pointer table; four entries
DIRECTORY0      equ 0x00201000          ; 0 to 1 GiB, also the first task's
DIRECTORY1      equ 0x00202000
DIRECTORY2      equ 0x00203000
DIRECTORY3      equ 0x00204000          ; 3 to 4 GiB: the kernel
DIRECTORY1_NEW  equ 0x00205000
LOW_TABLE       equ 0x00206000          ; 0 to 2 MiB
LOW_TABLE2      equ 0x00207000          ; 2 to 4 MiB
SWEEP_TABLE     equ 0x00208000          ; PDE 256 of the first directory
OTHER_TABLE     equ 0x00209000
TABLES_END      equ 0x0020a000
WINDOW          equ 0x20000000          ; what SWEEP_TABLE maps
SWEEP_FRAMES    equ 0x00800000          ; 256 frames
LARGE           equ 0x00c00000          ; the frames of the large page whose A and D are looked at
LARGE_GVA       equ KBASE + LARGE
G               equ 0x100
NX              equ 0x80000000          ; in the high word
EFER            equ 0xc0000080
NXE             equ 0x800

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

%define pde(directory, gva) (KBASE + directory + (((gva) >> 21) & 511) * 8)
%define pte(table, gva) (KBASE + table + (((gva) >> 12) & 511) * 8)

section .text

; Paging is off: every address of ours is used with KBASE taken off.
entry:
        mov     esp, PHYS(main_stack_top)
        cld
        lgdt    [PHYS(boot_gdt_pointer)]
        jmp     KCODE:PHYS(.segments)
.segments:
        mov     ecx, KDATA
        mov     ds, ecx
        mov     es, ecx
        mov     ss, ecx
        call    find_high_memory
        call    check_processor
        mov     edi, POINTERS
        mov     ecx, (TABLES_END - POINTERS) / 4
        xor     eax, eax
        rep     stosd
        mov     dword [POINTERS + 0], DIRECTORY0 | P
        mov     dword [POINTERS + 8], DIRECTORY1 | P
        mov     dword [POINTERS + 16], DIRECTORY2 | P
        mov     dword [POINTERS + 24], DIRECTORY3 | P
        mov     edi, LOW_TABLE          ; both low tables, 1024 entries
        mov     eax, KERNEL_PAGE | G
        mov     ecx, 1024
.low:   mov     [edi], eax
        add     edi, 8
        add     eax, 0x1000
        dec     ecx
        jnz     .low
        mov     dword [pde(DIRECTORY3, KBASE) - KBASE], LOW_TABLE | KERNEL_DIR
        mov     dword [pde(DIRECTORY3, KBASE + 0x200000) - KBASE], LOW_TABLE2 | KERNEL_DIR
        mov     eax, 0x400000 | KERNEL_PAGE | PS | G
        mov     edi, pde(DIRECTORY3, KBASE + 0x400000) - KBASE
.large: mov     [edi], eax
        add     edi, 8
        add     eax, 0x200000
        cmp     eax, LARGE
        jb      .large
        mov     dword [pde(DIRECTORY3, LARGE_GVA) - KBASE], LARGE | P | W | PS
        ; The identity mapping of the first 2 MiB is a large page, not global: it will go.
        mov     dword [pde(DIRECTORY0, 0) - KBASE], 0 | KERNEL_PAGE | PS
        mov     dword [pde(DIRECTORY0, WINDOW) - KBASE], SWEEP_TABLE | KERNEL_DIR
        mov     eax, cr4
        or      eax, 0xa0               ; PAE and PGE
        mov     cr4, eax
        mov     eax, POINTERS
        mov     cr3, eax
        mov     ecx, EFER
        rdmsr
        or      eax, NXE
        wrmsr
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
        say     "pae-kernel: PAE paging, pages of 4 KiB and 2 MiB, NX", 10
        mov     eax, [missing]
        xor     edx, edx
        say     "cpu: features that are missing                        "
        call    report
        call    stage_boot
        call    stage_large
        call    stage_user
        call    stage_sweeps
        call    stage_directories
        call    stage_high
        call    stage_protection
        jmp     the_end

; CPUID: PAE (bit 6) and PGE (bit 13) of leaf 1's EDX, NX (bit 20) of leaf 0x80000001's. Paging is off.
check_processor:
        mov     eax, 1
        cpuid
        not     edx
        and     edx, 1 << 6 | 1 << 13
        mov     edi, edx
        mov     eax, 0x80000001
        cpuid
        not     edx
        and     edx, 1 << 20
        or      edi, edx
        mov     [PHYS(missing)], edi
        ret

; EAX, EBX as the boot loader left them: is there a memory map with 16 MiB at 4 GiB? (Multiboot 3.3.) Paging is off.
find_high_memory:
        cmp     eax, MULTIBOOT_LOADED
        jne     .none
        test    dword [ebx], 1 << 6
        jz      .none
        mov     ecx, [ebx + 48]
        mov     edx, [ebx + 44]
        add     edx, ecx
.next:  cmp     ecx, edx
        jae     .none
        cmp     dword [ecx + 20], 1     ; available
        jne     .skip
        cmp     dword [ecx + 4], 0
        jne     .skip
        cmp     dword [ecx + 8], 1      ; at 0x1_0000_0000
        jne     .skip
        cmp     dword [ecx + 12], 16 << 20
        jb      .skip
        inc     dword [PHYS(high_memory)]
        ret
.skip:  add     ecx, [ecx]
        add     ecx, 4
        jmp     .next
.none:  ret

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
        mov     dword [pde(DIRECTORY0, 0)], 0
        mov     eax, cr3
        mov     cr3, eax
        faulting mov eax, [0x100000]
        say     "boot: identity mapping gone, reading it             "
        mov     eax, [fault_info]
        mov     edx, 0x000e0000         ; #PF, supervisor read, not present
        jmp     report

; A and D of a large page are set by the processor; then its frames are read through 4 KiB pages.
stage_large:
        mov     eax, [LARGE_GVA + 0x123000]
        say     "large: bits of its PDE after a read  "
        mov     eax, [pde(DIRECTORY3, LARGE_GVA)]
        and     eax, 0xfff
        mov     edx, P | W | A | PS
        call    report
        mov     edi, LARGE_GVA
        mov     eax, 1
        mov     ecx, 2048
.fill:  mov     [edi], eax
        imul    eax, eax, 0x343fd       ; a linear congruential generator
        add     eax, 0x269ec3
        add     edi, 1024
        dec     ecx
        jnz     .fill
        say     "large: bits of its PDE after stores  "
        mov     eax, [pde(DIRECTORY3, LARGE_GVA)]
        and     eax, 0xfff
        mov     edx, P | W | A | D | PS
        call    report
        mov     edi, pte(SWEEP_TABLE, WINDOW)
        mov     eax, LARGE | KERNEL_PAGE
        mov     ecx, 512
.map:   mov     [edi], eax
        add     edi, 8
        add     eax, 0x1000
        dec     ecx
        jnz     .map
        xor     eax, eax
        mov     esi, WINDOW
        mov     ecx, 2048
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

%include "pae-kernel/spaces.inc"
%include "common/sweeps.inc"
%include "pae-kernel/directories.inc"
%include "pae-kernel/high.inc"
%include "pae-kernel/protection.inc"
%include "common/stages.inc"
%include "common/user.inc"
section .bss
        alignb  4
high_memory:    resd 1          ; 1: there are 16 MiB at 4 GiB
missing:        resd 1
bss_end:
