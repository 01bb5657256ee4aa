; What the run loop has to have seen before a JavaScript engine compiles it for good: every instruction that it carries out
; itself, every branch taken and not, each kind of block's end, strings, and some of what it calls. core/machine/warm-up.ts
; runs it; it computes nothing. Not a guest that the lab starts.
;
; ESI: the data page, with the count of rounds at +80 and two lists of eight numbers to be compared at +20 and +40. ESP: a
; stack. Paging is on, everything mapped to itself. Ends with HLT.
        cpu     686
        bits    32
        org     0x1c00

again:
        ; moves
        mov     eax, 0x12345678
        mov     ecx, 3
        mov     edx, eax
        db      0x8b, 0xd8                      ; mov ebx, eax: the other form
        mov     edi, 1
        mov     eax, [esi + edi * 4 + 8]
        mov     [esi + edi * 4 + 8], eax
        mov     eax, [esi]
        mov     [esi + 4], eax
        mov     dword [esi + 8], 5
        db      0xc7, 0xc7, 1, 0, 0, 0          ; mov edi, 1
        lea     edx, [esi + edi * 2 + 4]
        movzx   edx, ch
        movzx   edx, byte [esi + 1]
        movzx   edx, ax
        movzx   edx, word [esi + 2]
        movsx   edx, byte [esi + 3]
        mov     cl, [esi]
        mov     [esi + 1], ah
        mov     byte [esi + 2], 7
        mov     dl, ch
        db      0x8a, 0xd5                      ; mov dl, ch
        mov     dl, 9
        db      0xc6, 0xc2, 9                   ; mov dl, 9
        xchg    ecx, edx
        nop
        invlpg  [esi]
        ; arithmetic: registers, both forms
        add     ecx, edx
        db      0x03, 0xca
        or      ecx, ebx
        db      0x0b, 0xcb
        and     ecx, ebx
        db      0x23, 0xcb
        sub     ecx, edx
        db      0x2b, 0xca
        xor     ecx, edx
        db      0x33, 0xca
        cmp     ecx, edx
        db      0x3b, 0xca
        test    ecx, edx
        ; immediates
        add     ecx, 100000
        or      ecx, 16
        and     ecx, 0xffff
        sub     ecx, 5
        xor     ecx, 5
        cmp     ecx, 5
        test    ecx, 0x8000
        ; from memory, and to it
        add     ecx, [esi]
        or      ecx, [esi]
        and     ecx, [esi]
        sub     ecx, [esi]
        xor     ecx, [esi]
        cmp     ecx, [esi]
        add     [esi + 12], ecx
        or      [esi + 12], ecx
        sub     [esi + 12], ecx
        cmp     [esi + 12], ecx
        test    [esi + 12], ecx
        add     dword [esi + 16], 5
        or      dword [esi + 16], 5
        and     dword [esi + 16], 0x7f
        sub     dword [esi + 16], 5
        cmp     dword [esi + 16], 5
        test    dword [esi + 16], 5
        ; one operand
        inc     ecx
        db      0xff, 0xc1                      ; inc ecx
        dec     ecx
        db      0xff, 0xc9                      ; dec ecx
        inc     dword [esi + 20]
        dec     dword [esi + 20]
        shl     ecx, 3
        shl     ecx, 1
        shr     ecx, 3
        shr     ecx, 1
        sar     ecx, 3
        sar     ecx, 1
        not     ecx
        neg     ecx
        cmp     cl, 5
        cmp     byte [esi], 5
        test    cl, dl
        test    cl, 5
        ; the stack. CLD is called, and makes the loop forget the page that the stack was found in
        cld
        push    eax
        db      0xff, 0xf0                      ; push eax
        cld
        push    7
        push    7
        cld
        push    dword [esi]
        pop     ecx
        cld
        pop     ecx
        pop     ecx
        pop     ecx
        pop     ecx
        cld
        push    ebp
        mov     ebp, esp
        leave
        ; transfers: those that a block follows, those that end it, and a return to elsewhere
        call    near_by
        cld
        call    near_by
        mov     ecx, far_off
        call    ecx
        cld
        call    ecx
        call    far_off
        push    dword .here
        call    elsewhere
.here:
        mov     ecx, .on
        jmp     ecx
.on:
        jmp     .over
        nop
.over:
        ; every condition, both ways
        mov     ecx, 7
.compare:
        mov     eax, [esi + ecx * 4 + 0x20]
        cmp     eax, [esi + ecx * 4 + 0x40]
        jb      .a
.a:     jae     .b
.b:     je      .c
.c:     jne     .d
.d:     jbe     .e
.e:     ja      .f
.f:     js      .g
.g:     jns     .h
.h:     jl      .i
.i:     jge     .j
.j:     jle     .k
.k:     jg      .l
.l:     dec     ecx
        jnz     .compare
        jmp     rest

near_by:
        xor     eax, eax
        cld
        ret
elsewhere:
        pop     eax
        ret

; Another page: a block ends at a call to it.
        times 0x2000 - 0x1c00 - ($ - $$) db 0x90
far_off:
        push    eax
        pop     eax
        cld
        ret

rest:
        ; strings
        mov     edi, esi
        add     edi, 0x100
        mov     ecx, 20
        rep     stosd
        mov     ecx, 20
        rep     stosb
        push    esi
        mov     ecx, 20
        rep     movsd
        mov     ecx, 20
        rep     movsb
        pop     esi
        ; what is called: enough of them that the call is to anybody
        pushf
        popf
        cli
        cdq
        cwde
        imul    ecx, ecx
        mul     ecx
        adc     ecx, 1
        sbb     ecx, edx
        sahf
        lahf
        setz    al
        rol     ecx, cl
        mov     ax, [esi]
        mov     [esi], ax
        test    byte [esi], 1
        cmovz   ecx, edx
        dec     dword [esi + 0x80]
        jnz     again
        hlt
