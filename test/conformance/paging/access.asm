; Runs rows of the access matrix on whatever processor it is booted on (multiboot) and writes what came of each to the
; debug console (port 0xe9): three words, error code or -1, the directory entry and the page-table entry left behind.
; Assembled by matrix-qemu.test.ts with -DROWS="file".
bits 32
org 0x100000

PD      equ 0x1000          ; DIRECTORY, TABLE and PDPT of rows.ts
PT      equ 0x2000
PDPT    equ 0x3000
PAGE    equ 6
ROW     equ 36              ; words of a row: cr0 cr4 efer pde pdeHigh pte pteHigh address kind

        dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
        dd 0x100000, 0x100000, end_of_load, end_of_all, start

start:  cli
        mov esp, stack_top
        lgdt [gdtr]
        jmp 8:.cs
.cs:    mov ax, 0x23            ; the user's data segment serves both rings
        mov ds, ax
        mov es, ax
        mov ax, 0x10
        mov ss, ax
        ; The TSS's base, and every gate: an interrupt nobody expects ends the run.
        mov eax, tss
        mov [gdt_tss + 2], ax
        shr eax, 16
        mov [gdt_tss + 4], al
        mov [gdt_tss + 7], ah
        mov ax, 0x28
        ltr ax
        xor ebx, ebx
.gate:  mov eax, unexpected
        mov cx, 0x8e00
        call set_gate
        inc ebx
        cmp ebx, 0x31
        jb .gate
        mov ebx, 14
        mov eax, page_fault
        call set_gate
        mov ebx, 0x30
        mov eax, done
        mov cx, 0xee00
        call set_gate
        lidt [idtr]
        ; The program itself, 0 to 4 MiB, for everybody: one table of 4-byte entries, two of 8-byte ones.
        xor ecx, ecx
.map:   mov eax, ecx
        shl eax, 12
        or eax, 0x67
        mov [own32 + ecx * 4], eax
        mov [own_pae + ecx * 8], eax
        mov dword [own_pae + ecx * 8 + 4], 0
        inc ecx
        cmp ecx, 1024
        jb .map
        ; What a fetch finds: ret.
        mov byte [0x10000], 0xc3
        mov byte [PAGE << 12], 0xc3
        mov esi, rows

next:   cmp esi, rows_end
        jae finished
        mov [row], esi
        xor eax, eax
        mov edi, PD
        mov ecx, 3 * 1024
        rep stosd
        test dword [esi + 4], 0x20
        jnz .pae
        mov dword [PD], own32 + 7
        mov eax, [esi + 12]
        mov [PD + 3 * 4], eax
        mov eax, [esi + 20]
        mov [PT + PAGE * 4], eax
        mov edx, PD
        jmp .tables
.pae:   mov dword [PDPT], PD + 1
        mov dword [PD], own_pae + 7
        mov dword [PD + 8], own_pae + 0x1007
        mov eax, [esi + 12]
        mov [PD + 5 * 8], eax
        mov eax, [esi + 16]
        mov [PD + 5 * 8 + 4], eax
        mov eax, [esi + 20]
        mov [PT + PAGE * 8], eax
        mov eax, [esi + 24]
        mov [PT + PAGE * 8 + 4], eax
        mov edx, PDPT
.tables:
        push edx
        mov ecx, 0xc0000080
        rdmsr
        and eax, ~0x800
        or eax, [esi + 8]
        wrmsr
        pop edx
        mov eax, [esi + 4]
        mov cr4, eax
        mov cr3, edx
        mov dword [result], -1
        mov ebx, [esi + 28]
        mov ecx, [esi + 32]
        mov eax, [esi]
        mov cr0, eax
        jmp .on
.on:    test cl, 4
        jz access
        push dword 0x23
        push dword user_top
        push dword 2
        push dword 0x1b
        push dword access
        iret

access: test cl, 1
        jnz .write
        test cl, 2
        jnz .fetch
        mov al, [ebx]
        jmp .back
.write: mov byte [ebx], 0xc3
        jmp .back
.fetch: call ebx
.back:  test cl, 4
        jz done
        int 0x30

page_fault:
        pop eax
        mov [result], eax
        mov eax, cr2
        cmp eax, ebx
        je done
        mov dword [result], -3
done:   mov esp, stack_top
        mov eax, cr0
        and eax, 0x7ffeffff
        mov cr0, eax
        mov esi, [row]
        mov eax, [result]
        call put
        test dword [esi + 4], 0x20
        jnz .pae
        mov eax, [PD + 3 * 4]
        call put
        mov eax, [PT + PAGE * 4]
        jmp .last
.pae:   mov eax, [PD + 5 * 8]
        call put
        mov eax, [PT + PAGE * 8]
.last:  call put
        add esi, ROW
        jmp next

put:    mov ecx, 4
.byte:  out 0xe9, al
        shr eax, 8
        loop .byte
        ret

set_gate:                       ; ebx vector, eax handler, cx type
        mov [idt + ebx * 8], ax
        mov word [idt + ebx * 8 + 2], 8
        mov [idt + ebx * 8 + 4], cx
        shr eax, 16
        mov [idt + ebx * 8 + 6], ax
        ret

unexpected:
        mov eax, -2
        mov cr0, eax            ; #GP upon #GP: the machine resets, and the run is over
finished:
        mov eax, 0
        out 0xf4, eax
        hlt
        jmp finished

align 8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
gdt_tss: dq 0x0000890000000067
gdtr:   dw $ - gdt - 1
        dd gdt
idtr:   dw 0x31 * 8 - 1
        dd idt
align 4
tss:    dd 0, stack_top, 0x10
        times 23 dd 0
row:    dd 0
result: dd 0
align 4
rows:   incbin ROWS
rows_end:
end_of_load:
align 4096
own32   equ 0x300000            ; below the program's own 4 MiB, behind rows and stacks
own_pae equ 0x301000
idt     equ 0x303000
stack_top equ 0x306000
user_top  equ 0x308000
end_of_all equ 0x308000
