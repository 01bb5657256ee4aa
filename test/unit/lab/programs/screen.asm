; A program for a `pc` with a screen: it draws a frame and a greeting, then writes what is typed (IRQ 1, scan codes of
; set 1) in row 4, each key's code in hexadecimal, and blinks where the cursor stands. Flat, at 0x100000.
bits 32
org 0x100000
TEXT equ 0xb8000

start:
        cld
        mov esp, 0x9f000
        mov edi, TEXT
        mov ecx, 80 * 25
        mov eax, 0x1720
        rep stosw
        ; a double frame around rows 0 to 2
        mov edi, TEXT
        mov ax, 0x1ec9
        stosw
        mov ecx, 78
        mov al, 0xcd
        rep stosw
        mov al, 0xbb
        stosw
        mov byte [TEXT + 160], 0xba
        mov byte [TEXT + 318], 0xba
        mov edi, TEXT + 320
        mov al, 0xc8
        stosw
        mov ecx, 78
        mov al, 0xcd
        rep stosw
        mov al, 0xbc
        stosw
        ; the sixteen colours, and what blinks
        mov edi, TEXT + 160 * 6 + 4
        xor ecx, ecx
.colour:
        mov al, 0xdb
        mov ah, cl
        stosw
        stosw
        inc ecx
        cmp ecx, 16
        jb .colour
        mov dword [edi], 0x8f218f21
        mov esi, hello
        mov edi, TEXT + 160 + 4
        mov ah, 0x1f
.print: lodsb
        test al, al
        jz .table
        stosw
        jmp .print
.table: mov eax, key
        mov ecx, 0x21
        lea edx, [idt + ecx * 8]
        mov [edx], ax
        mov word [edx + 2], 8
        mov word [edx + 4], 0x8e00
        shr eax, 16
        mov [edx + 6], ax
        lidt [idtr]
        mov esi, picinit
.pic:   lodsw
        movzx edx, al
        test edx, edx
        jz .go
        mov al, ah
        out dx, al
        jmp .pic
        ; a byte on the debug console, a POST code, the cursor to the beginning of row 4
.go:    mov al, 0x2a
        out 0x80, al
        mov al, '!'
        out 0xe9, al
        mov edi, TEXT + 160 * 4
        call cursor
        sti
.wait:  hlt
        jmp .wait

key:    push eax
        push edx
        xor eax, eax
        in al, 0x60
        mov dl, al
        shr al, 4
        call digit
        mov al, dl
        and al, 15
        call digit
        inc edi
        inc edi
        call cursor
        mov al, 0x20
        out 0x20, al
        pop edx
        pop eax
        iret

digit:  cmp al, 10
        jb .number
        add al, 'a' - '0' - 10
.number:
        add al, '0'
        mov ah, 0x1f
        stosw
        ret

cursor: push eax
        push ebx
        push edx
        mov ebx, edi
        sub ebx, TEXT
        shr ebx, 1
        mov dx, 0x3d4
        mov al, 14
        mov ah, bh
        out dx, ax
        mov al, 15
        mov ah, bl
        out dx, ax
        pop edx
        pop ebx
        pop eax
        ret

picinit: db 0x20, 0x11, 0xa0, 0x11, 0x21, 0x20, 0xa1, 0x28, 0x21, 4, 0xa1, 2, 0x21, 1, 0xa1, 1, 0x21, 0xf9, 0xa1, 0xff, 0, 0
hello:  db "Hello from B8000 ", 0x01, " ", 0xe0, 0xf1, 0xfb, " ", 0xb0, 0xb1, 0xb2, 0xdb, 0
align 8
idtr:   dw 0x22 * 8 - 1
        dd idt
align 8
idt:    times 0x22 dq 0
