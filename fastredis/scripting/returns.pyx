"""Tail calls of scripts become ordinary ones, and `arg` is there. The design comment is in returns.pxd."""
from libc.string cimport memchr, memcpy, strlen

from fastredis.scripting.lua_api cimport Text
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef enum:
    MOST_BLOCKS = 200               # levels, as many as Lua allows
    MOST_PLACES = 128               # pieces that are put
    LONGEST_PIECE = 40              # bytes

cdef enum TokenType:
    END                             # of the text, or of what is understood of it
    NAME                            # keywords, too
    NUMBER
    STRING
    MARK                            # one character

cdef struct Token:
    TokenType type
    const char* text
    size_t size

cdef enum Head:                     # of a function
    PASSED                          # its body is being read
    BEFORE_PARAMETERS
    IN_PARAMETERS

cdef struct Block:                  # what a keyword opens and `end` or `until` closes; the first one is the text
    bint function
    Head head                       # of a function, as what follows
    const char* body                # where it begins, if the last parameter is `...`; else NULL
    bint has_dots                   # `...` is among the parameters, and then: is in the body
    bint has_arg                    # the name `arg` is in the body
    bint returns                    # a return of it is being read; of this is what follows
    const char* start               # what comes after the word
    const char* end                 # of the last token
    char last                       # what that is: a mark, "s" for a string, "n" for others
    int tokens                      # read so far
    int depth                       # of brackets around it
    int closed                      # how often brackets were closed to this depth
    bint several                    # values, with commas
    int library                     # bit_of() what it begins with, if that returns one value; else 0

cdef struct Place:
    const char* at
    const char* piece               # that is put there
    int needs                       # the bit of a library that must not be shadowed for this

cdef struct Scanner:
    const char* at
    const char* end
    bint odd                        # it could not be read
    int named                       # the bit of the library or function that the last token is the name of
    bint defines                    # the last token is `function`
    int shadowed                    # bits of names used otherwise than before a dot (libraries) or a call (functions)
    Block blocks[MOST_BLOCKS]
    int level                       # of the current block
    int functions                   # among the blocks
    int depth                       # of brackets
    const char* dot                 # the last token, if it is a point,
    int dots                        # ... and how many points end with it
    Place places[MOST_PLACES]
    int place_count

# Functions that return one value whatever happens, or never return: these of those, and these.
cdef Text[11] LIBRARIES = [
    b"redis", b"server", b"cjson", b"cmsgpack", b"struct", b"string", b"table", b"math", b"bit", b"os", NULL]
cdef Text[42] KNOWN = [
    b"call", b"pcall", b"encode", b"decode", b"pack", b"sha1hex", b"error_reply", b"status_reply", b"size", b"format",
    b"rep", b"sub", b"len", b"lower", b"upper", b"char", b"reverse", b"concat", b"abs", b"ceil", b"floor", b"fmod",
    b"max", b"min", b"pow", b"random", b"sqrt", b"band", b"bor", b"bxor", b"bnot", b"bswap", b"lshift", b"rshift",
    b"arshift", b"rol", b"ror", b"tobit", b"tohex", b"clock", b"exp", NULL]
cdef Text[10] FUNCTIONS = [
    b"error", b"tonumber", b"tostring", b"type", b"getmetatable", b"setmetatable", b"rawequal", b"rawget", b"rawset",
    NULL]

cdef enum:
    FIRST_FUNCTION = 1 << 16        # the bit of the first of FUNCTIONS; those of LIBRARIES are below


# ---------------------------------------------------------------- tokens

cdef inline bint is_name(char c) noexcept nogil:
    return c"a" <= c | 0x20 <= c"z" or c == c"_" or c"0" <= c <= c"9" or c < 0


cdef inline bint is_word(const Token* token, const char* word) noexcept nogil:
    cdef size_t i

    if token.type != NAME:
        return False
    for i in range(token.size):
        if token.text[i] != word[i]:
            return False
    return word[token.size] == 0


cdef int which(const Token* token, Text* words) noexcept nogil:
    """Which of the words a token is, from 0 on; -1: it is none of them."""
    cdef int i = 0

    while words[i] is not NULL:
        if words[i][0] == token.text[0] and is_word(token, words[i]):
            return i
        i += 1
    return -1


cdef int bit_of(const Token* token) noexcept nogil:
    """The bit of the library or function whose name a token is; 0: it is none."""
    cdef int i

    if token.type != NAME:
        return 0
    i = which(token, LIBRARIES)
    if i >= 0:
        return 1 << i
    i = which(token, FUNCTIONS)
    return FIRST_FUNCTION << i if i >= 0 else 0


cdef size_t long_bracket(const Scanner* s) noexcept nogil:
    """The size of `[==[` where the scanner stands, or 0."""
    cdef const char* at = s.at + 1

    while at < s.end and at[0] == c"=":
        at += 1
    return at + 1 - s.at if at < s.end and at[0] == c"[" else 0


cdef void pass_long(Scanner* s, size_t size) noexcept nogil:
    """Pass what a long bracket of that size opens, up to the one that closes it."""
    cdef const char* at = s.at + size
    cdef size_t i

    while True:
        at = <const char*>memchr(at, c"]", s.end - at)
        if at is NULL or <size_t>(s.end - at) < size:
            s.odd = True
            s.at = s.end
            return
        i = 1
        while i < size - 1 and at[i] == c"=":
            i += 1
        if i == size - 1 and at[i] == c"]":
            s.at = at + size
            return
        at += 1


cdef void pass_line(Scanner* s) noexcept nogil:
    cdef const char* end = <const char*>memchr(s.at, c"\n", s.end - s.at)

    s.at = end if end is not NULL else s.end


cdef void pass_string(Scanner* s) noexcept nogil:
    cdef char quote = s.at[0]

    s.at += 1
    while s.at < s.end and s.at[0] != quote:
        s.at += 2 if s.at[0] == c"\\" else 1
    s.odd |= s.at >= s.end
    s.at = s.at + 1 if s.at < s.end else s.end


cdef void pass_number(Scanner* s) noexcept nogil:
    """Digits, letters and points, and the sign of an exponent."""
    while s.at < s.end and (is_name(s.at[0]) or s.at[0] == c"." or (
            (s.at[0] == c"-" or s.at[0] == c"+") and (s.at - 1)[0] | 0x20 == c"e")):
        s.at += 1


cdef void pass_blanks(Scanner* s) noexcept nogil:
    """Pass blanks and comments."""
    cdef size_t size

    while s.at < s.end:
        if s.at[0] == c" " or c"\t" <= s.at[0] <= c"\r":
            s.at += 1
        elif s.at[0] == c"-" and s.end - s.at >= 2 and s.at[1] == c"-":
            s.at += 2
            size = long_bracket(s) if s.at < s.end and s.at[0] == c"[" else 0
            if size:
                pass_long(s, size)
            else:
                pass_line(s)
        else:
            return


cdef void next_token(Scanner* s, Token* token) noexcept nogil:
    cdef char c
    cdef size_t size

    pass_blanks(s)
    token.text = s.at
    token.type = END
    if s.at >= s.end or s.odd:
        return
    c = s.at[0]
    size = long_bracket(s) if c == c"[" else 0
    if size:
        token.type = STRING
        pass_long(s, size)
    elif c == c'"' or c == c"'":
        token.type = STRING
        pass_string(s)
    elif c"0" <= c <= c"9":
        token.type = NUMBER
        pass_number(s)
    elif is_name(c):
        token.type = NAME
        while s.at < s.end and is_name(s.at[0]):
            s.at += 1
    else:
        token.type = MARK
        s.at += 1
    token.size = s.at - token.text


# ---------------------------------------------------------------- what is put

cdef void put(Scanner* s, const char* at, const char* piece, int needs) noexcept nogil:
    if s.place_count == MOST_PLACES:
        s.odd = True
        return
    s.places[s.place_count].at = at
    s.places[s.place_count].piece = piece
    s.places[s.place_count].needs = needs
    s.place_count += 1


# ---------------------------------------------------------------- arg

cdef void finish_function(Scanner* s, const Block* block) noexcept nogil:
    if block.body is not NULL and block.has_arg:
        put(s, block.body, b" local arg" if block.has_dots else b" local arg={n=select('#',...),...}", 0)


cdef void note_arg(Scanner* s) noexcept nogil:
    """The name `arg`: it may be that of any function around it."""
    cdef int i

    for i in range(1, s.level + 1):
        s.blocks[i].has_arg = True


cdef void note_point(Scanner* s, const char* at) noexcept nogil:
    """A point; three of them are one token, which belongs to the innermost function."""
    cdef int i = s.level

    s.dots = s.dots + 1 if s.dot is not NULL and at == s.dot + 1 else 1
    s.dot = at
    if s.dots < 3:
        return
    s.dot = NULL
    while i and not s.blocks[i].function:
        i -= 1
    s.blocks[i].has_dots = True


cdef void read_head(Scanner* s, Block* block, char mark) noexcept nogil:
    """The brackets of a function's parameters."""
    if mark == c"(":
        block.head = IN_PARAMETERS
    elif mark == c")" and block.head == IN_PARAMETERS:
        block.head = PASSED
        block.body = s.at if block.has_dots else NULL
        block.has_dots = False


# ---------------------------------------------------------------- returns

cdef void finish_return(Scanner* s) noexcept nogil:
    """The return of the current block is read: note where its parentheses go, if it is a call that needs some."""
    cdef Block* block = &s.blocks[s.level]

    if not block.returns:
        return
    block.returns = False
    if block.several or not (block.last == c")" or block.last == c"}" or block.last == c"s") or block.tokens < 2:
        return
    if s.functions and not (block.library and block.last == c")" and block.closed == 1):
        return
    put(s, block.start, b"(", block.library if s.functions else 0)
    put(s, block.end, b")", block.library if s.functions else 0)


cdef void open_block(Scanner* s, bint function) noexcept nogil:
    if s.level + 1 == MOST_BLOCKS:
        s.odd = True
        return
    s.level += 1
    s.blocks[s.level].function = function
    s.blocks[s.level].head = BEFORE_PARAMETERS if function else PASSED
    s.blocks[s.level].body = NULL
    s.blocks[s.level].has_dots = s.blocks[s.level].has_arg = False
    s.blocks[s.level].returns = False
    s.functions += function


cdef void close_block(Scanner* s) noexcept nogil:
    finish_return(s)
    if s.level == 0:
        s.odd = True
        return
    finish_function(s, &s.blocks[s.level])
    s.functions -= s.blocks[s.level].function
    s.level -= 1


cdef void begin_return(Scanner* s) noexcept nogil:
    cdef Block* block = &s.blocks[s.level]

    block.returns = True
    block.start = s.at
    block.tokens = 0
    block.depth = s.depth
    block.closed = 0
    block.several = False
    block.library = 0


cdef void read_word(Scanner* s, const Token* token) noexcept nogil:
    """Keywords that open and close blocks, or begin or end a return."""
    if is_word(token, b"function"):
        open_block(s, True)
    elif is_word(token, b"if") or is_word(token, b"do") or is_word(token, b"repeat"):
        open_block(s, False)
    elif is_word(token, b"end") or is_word(token, b"until"):
        close_block(s)
    elif is_word(token, b"else") or is_word(token, b"elseif"):
        finish_return(s)
    elif is_word(token, b"return"):
        begin_return(s)
    elif is_word(token, b"arg"):
        note_arg(s)


cdef void read_mark(Scanner* s, char mark) noexcept nogil:
    cdef Block* block = &s.blocks[s.level]

    if block.head != PASSED:
        read_head(s, block, mark)
    if mark == c"(" or mark == c"[" or mark == c"{":
        s.depth += 1
    elif mark == c")" or mark == c"]" or mark == c"}":
        s.depth -= 1
        block.closed += block.returns and s.depth == block.depth
    elif mark == c"," and s.depth == block.depth:
        block.several = True
    elif mark == c";" and s.depth == block.depth:
        finish_return(s)


cdef void note_token(Scanner* s, const Token* token, int library) noexcept nogil:
    """The return that is being read, if there is one, goes up to this token."""
    cdef Block* block = &s.blocks[s.level]

    if not block.returns or token.text < block.start:
        return
    block.tokens += 1
    block.end = s.at
    block.last = token.text[0] if token.type == MARK else (c"s" if token.type == STRING else c"n")
    if block.tokens == 1:
        block.library = library
    elif block.library >= FIRST_FUNCTION:
        if block.tokens == 2 and block.last != c"(":
            block.library = 0
    elif (block.tokens == 2 and block.last != c".") or (block.tokens == 3 and which(token, KNOWN) < 0):
        block.library = 0


cdef void scan(Scanner* s) noexcept nogil:
    """Read the text and note all places."""
    cdef Token token
    cdef int library

    next_token(s, &token)
    while token.type != END and not s.odd:
        if token.type != MARK or token.text[0] != (c"(" if s.named >= FIRST_FUNCTION else c"."):
            s.shadowed |= s.named
        library = bit_of(&token)
        if s.defines:
            s.shadowed |= library
        s.named = library
        s.defines = is_word(&token, b"function")
        if token.type == NAME:
            read_word(s, &token)
        elif token.type == MARK:
            if token.text[0] == c".":
                note_point(s, token.text)
            else:
                read_mark(s, token.text[0])
        note_token(s, &token, library)
        next_token(s, &token)
    finish_return(s)
    s.odd |= s.level != 0


cdef Place* next_place(Scanner* s, const char* after) noexcept nogil:
    """The first of the places behind some point that still holds; NULL: there is none."""
    cdef Place* found = NULL
    cdef int i

    for i in range(s.place_count):
        if s.places[i].at > after and not s.places[i].needs & s.shadowed and (
                found is NULL or s.places[i].at < found.at):
            found = &s.places[i]
    return found


cdef size_t write_places(lua_State* L, Scanner* s, const char* text) noexcept nogil:
    """Copy the text with what is put to vm.buffer."""
    cdef Vm* vm = vm_of(L)
    cdef Place* place = next_place(s, text)
    cdef char* out

    if place is NULL:
        return 0
    vm.buffer.size = 0
    out = buffer_room(L, vm, s.end - text + s.place_count * LONGEST_PIECE)
    while place is not NULL:
        memcpy(out, text, place.at - text)
        out += place.at - text
        text = place.at
        memcpy(out, place.piece, strlen(place.piece))
        out += strlen(place.piece)
        place = next_place(s, text)
    memcpy(out, text, s.end - text)
    return out + (s.end - text) - vm.buffer.data


cdef size_t keep_lines(lua_State* L, const char* text, size_t size) noexcept nogil:
    cdef Scanner s

    s.at = text
    s.end = text + size
    s.odd = False
    s.named = 0
    s.defines = False
    s.shadowed = 0
    s.level = 0
    s.blocks[0].function = False
    s.blocks[0].returns = False
    s.blocks[0].head = PASSED
    s.functions = 0
    s.depth = 0
    s.dot = NULL
    s.dots = 0
    s.place_count = 0
    scan(&s)
    return 0 if s.odd else write_places(L, &s, text)
