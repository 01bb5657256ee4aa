; Entry of the C test kernel: multiboot header (placement by ELF program headers), a stack, descriptor tables, and the
; page-fault stub. Linked by link.ld at 1 MiB.
        bits    32

        section .multiboot
        align   4
        dd      0x1BADB002
        dd      0x00000002              ; memory information wanted
        dd      -(0x1BADB002 + 0x00000002)

        section .text
        global  start, load_idt, page_fault_entry
        extern  kernel_main, page_fault
start:
        mov     esp, stack_top
        cld
        lgdt    [gdt_pointer]
        jmp     0x08:.segments
.segments:
        mov     ecx, 0x10
        mov     ds, ecx
        mov     es, ecx
        mov     fs, ecx
        mov     gs, ecx
        mov     ss, ecx
        push    ebx                     ; boot information
        push    eax                     ; magic
        call    kernel_main
stop:
        cli
        hlt
        jmp     stop

; void load_idt(const void *pointer)
load_idt:
        mov     eax, [esp + 4]
        lidt    [eax]
        ret

; Calls page_fault(error, address) and starts the instruction again
page_fault_entry:
        pushad
        mov     eax, cr2
        push    eax
        push    dword [esp + 36]
        call    page_fault
        add     esp, 8
        popad
        add     esp, 4
        iretd

        section .data
        align   8
gdt:    dq      0
        dq      0x00cf9b000000ffff
        dq      0x00cf93000000ffff
gdt_pointer:
        dw      gdt_pointer - gdt - 1
        dd      gdt

        section .bss
        align   16
        resb    16384
stack_top:
