#!/usr/bin/env python3
"""Writes what PTX instructions must give, for test_ptx.c: ptx_cases.py FILE

Each line is PTX_CASE(instructions, kind of the result's register, inputs 1 to 4, result), all as bits.
The values follow the PTX ISA and are computed with whole numbers and exact fractions, so that nothing
is shared with the simulator.  Every row of ptx_alu.def must be here."""
import sys
from fractions import Fraction

REG = {16: '%h', 32: '%r', 64: '%d'}
cases = {}


def case(text, inputs, result):
    """The kind of register is that of the first operand that ends in 0: %r0 and so on."""
    kind = next(word for word in text.replace(',', ' ').replace('}', ' ').replace('{', ' ').split()
                if word.startswith('%') and word[2:].rstrip(';') == '0' and word[1] != 'p')[1]
    inputs = [x & (2**64 - 1) for x in list(inputs) + [0] * (4 - len(inputs))]
    cases[text, tuple(inputs)] = (kind, result)


def unsigned(x, bits):
    return x & ((1 << bits) - 1)


def signed(x, bits):
    x = unsigned(x, bits)
    return x - (1 << bits) if x >> (bits - 1) else x


def reader(sign, bits):
    """What a register's bits mean in a type such as s32."""
    return (lambda x: signed(x, bits)) if sign == 's' else (lambda x: unsigned(x, bits))


def quotient(a, b):
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


def remainder(a, b):
    return a - b * quotient(a, b)


# ---- whole numbers ----

PAIRS = {
    16: [(5, 3), (0xffff, 2), (0x8000, 0x7fff), (0xfffe, 0xffff), (1234, 7)],
    32: [(5, 3), (0xffffffff, 2), (0x80000000, 0x7fffffff), (0xfffffffe, 0xffffffff), (123456, 789)],
    64: [(5, 3), (2**64 - 1, 2), (2**63, 2**63 - 1), (2**64 - 2, 2**64 - 1),
         (0x123456789abcdef0, 0xfedcba987)],
}


def whole(bits, sign):
    t, r, read = f'{sign}{bits}', REG[bits], reader(sign, bits)
    operations = {
        'add': lambda a, b: a + b,
        'sub': lambda a, b: a - b,
        'mul.lo': lambda a, b: a * b,
        'mul.hi': lambda a, b: (a * b) >> bits,
        'div': quotient,
        'rem': remainder,
        'min': min,
        'max': max,
    }
    least = [(1 << (bits - 1), (1 << bits) - 1)]  # divided by -1 it wraps
    for name, value in operations.items():
        for a, b in PAIRS[bits] + least:
            result = unsigned(value(read(a), read(b)), bits)
            case(f'{name}.{t} {r}0, {r}1, {r}2;', (a, b), result)
    for a, b in PAIRS[bits]:
        product, c = read(a) * read(b), 77
        case(f'mad.lo.{t} {r}0, {r}1, {r}2, {r}3;', (a, b, c), unsigned(product + c, bits))
        if bits < 64:
            wide = REG[2 * bits]
            case(f'mul.wide.{t} {wide}0, {r}1, {r}2;', (a, b), unsigned(product, 2 * bits))
            case(f'mad.wide.{t} {wide}0, {r}1, {r}2, {wide}3;', (a, b, c),
                 unsigned(product + c, 2 * bits))
        if bits == 32:
            case(f'mad.hi.{t} %r0, %r1, %r2, %r3;', (a, b, c), unsigned((product >> 32) + c, 32))
            case(f'sad.{t} %r0, %r1, %r2, %r3;', (a, b, c),
                 unsigned(abs(read(a) - read(b)) + c, 32))
    for by in (0, 1, bits - 1, bits + 3):
        a = 1 << (bits - 1) | 5
        case(f'shr.{t} {r}0, {r}1, %r2;', (a, by), unsigned(read(a) >> min(by, bits), bits))


def signs(bits):
    r = REG[bits]
    for a in (5, unsigned(-5, bits), 1 << (bits - 1)):
        case(f'abs.s{bits} {r}0, {r}1;', (a,), unsigned(abs(signed(a, bits)), bits))
        case(f'neg.s{bits} {r}0, {r}1;', (a,), unsigned(-a, bits))


def saturating():
    for a, b in ((0x7fffffff, 1), (0x80000000, 0xffffffff), (3, 4), (0x80000000, 1)):
        for name, value in (('add', signed(a, 32) + signed(b, 32)),
                            ('sub', signed(a, 32) - signed(b, 32))):
            result = max(-2**31, min(2**31 - 1, value))
            case(f'{name}.sat.s32 %r0, %r1, %r2;', (a, b), unsigned(result, 32))


def dot_products():
    for signs_ in ('uu', 'us', 'su', 'ss'):
        read_a, read_b = reader(signs_[0], 8), reader(signs_[1], 8)
        for a, b in ((0x01020304, 0x05060708), (0xff80fe01, 0x7f81ff03)):
            total = 1000 + sum(read_a(a >> i) * read_b(b >> i) for i in (0, 8, 16, 24))
            case(f'dp4a.{signs_[0]}32.{signs_[1]}32 %r0, %r1, %r2, %r3;', (a, b, 1000),
                 unsigned(total, 32))


# ---- bits ----

def logic(bits):
    r = REG[bits]
    for a, b in PAIRS[bits]:
        case(f'and.b{bits} {r}0, {r}1, {r}2;', (a, b), a & b)
        case(f'or.b{bits} {r}0, {r}1, {r}2;', (a, b), a | b)
        case(f'xor.b{bits} {r}0, {r}1, {r}2;', (a, b), a ^ b)
    case(f'not.b{bits} {r}0, {r}1;', (5,), unsigned(~5, bits))
    for by in (0, 3, bits - 1, bits, bits + 5):
        a = 1 << (bits - 1) | 9
        case(f'shl.b{bits} {r}0, {r}1, %r2;', (0x1235, by), unsigned(0x1235 << by, bits))
        case(f'shr.b{bits} {r}0, {r}1, %r2;', (a, by), a >> by)


def funnel_shifts():
    a, b = 0x12345678, 0x9abcdef0
    both = b << 32 | a
    for by in (0, 7, 31, 32, 40):
        for mode, n in (('wrap', by & 31), ('clamp', min(by, 32))):
            case(f'shf.l.{mode}.b32 %r0, %r1, %r2, %r3;', (a, b, by), unsigned(both << n >> 32, 32))
            case(f'shf.r.{mode}.b32 %r0, %r1, %r2, %r3;', (a, b, by), unsigned(both >> n, 32))


def permutations():
    a, b = 0x44332211, 0x88776655
    for selector, result in ((0x3210, 0x44332211), (0x7654, 0x88776655), (0x0123, 0x11223344),
                             (0x5410, 0x66552211), (0xf80c, 0xff001100)):
        case('prmt.b32 %r0, %r1, %r2, %r3;', (a, b, selector), result)


def counts(bits):
    r = REG[bits]
    for a in (0, 1, 0xf0f0, unsigned(-1, bits), 1 << (bits - 1)):
        case(f'popc.b{bits} %r0, {r}1;', (a,), bin(a).count('1'))
        case(f'clz.b{bits} %r0, {r}1;', (a,), bits - a.bit_length())
        case(f'brev.b{bits} {r}0, {r}1;', (a,), int(format(a, f'0{bits}b')[::-1], 2))
        case(f'bfind.u{bits} %r0, {r}1;', (a,), unsigned(a.bit_length() - 1, 32))


def extract(a, at, n, bits, is_signed):
    """The loop of the ISA's description of bfe."""
    fill = a >> min(at + n - 1, bits - 1) & 1 if is_signed and n else 0
    result = 0
    for i in range(bits):
        bit = a >> (at + i) & 1 if i < n and at + i < bits else fill
        result |= bit << i
    return result


def fields(bits):
    r = REG[bits]
    for a, at, n in ((0xdeadbeef, 4, 8), (0xdeadbeef, 28, 8), (0xdeadbeef, 0, 0), (0xff00, 8, 8),
                     (0x80000000 << (bits - 32), 40, 5), (0xdeadbeef, 3, 70)):
        for sign in 'us':
            case(f'bfe.{sign}{bits} {r}0, {r}1, %r2, %r3;', (a, at, n),
                 extract(a, at, n, bits, sign == 's'))
    for a, b, at, n in ((0xab, 0x11111111, 8, 8), (0xffff, 0, 28, 8), (7, 0x22222222, 0, 0),
                        (7, 9, 200, 4), (2**bits - 1, 0, 0, bits)):
        result = b
        for i in range(n):
            if at + i < bits:
                result = result & ~(1 << (at + i)) | (a >> i & 1) << (at + i)
        case(f'bfi.b{bits} {r}0, {r}1, {r}2, %r3, %r4;', (a, b, at, n), result)


def bits_of_32():
    case('mul24.lo.u32 %r0, %r1, %r2;', (0xff123456, 0xee000010), 0x01234560)
    case('cnot.b32 %r0, %r1;', (0,), 1)
    case('cnot.b32 %r0, %r1;', (9,), 0)
    for a, result in ((0, 0xffffffff), (1, 0), (0x80000000, 30), (0xfffffff0, 3)):
        case('bfind.s32 %r0, %r1;', (a,), result)
    a, b, c = 0xf0f0aaaa, 0xccccf00f, 0x5555ff00
    for table in (0x80, 0xe8, 0x96, 0x3c):
        result = 0
        for i in range(32):
            row = (a >> i & 1) << 2 | (b >> i & 1) << 1 | c >> i & 1
            result |= (table >> row & 1) << i
        case(f'lop3.b32 %r0, %r1, %r2, %r3, {table};', (a, b, c), result)


# ---- floats: bits to fractions and back ----

# Bits of precision, least and greatest exponent, bits altogether.
FORMATS = {'f16': (11, -14, 15, 16), 'bf16': (8, -126, 127, 16), 'f32': (24, -126, 127, 32),
           'f64': (53, -1022, 1023, 64)}
FREG = {'f16': '%h', 'bf16': '%h', 'f32': '%f', 'f64': '%e'}


def infinity(f):
    p, _, _, bits = FORMATS[f]
    return ((1 << (bits - p)) - 1) << (p - 1)


def minus(f):
    return 1 << (FORMATS[f][3] - 1)


def nan(f):
    return infinity(f) | 1 << (FORMATS[f][0] - 2)


def decode(x, f):
    """The value of a finite number."""
    p, least, greatest, bits = FORMATS[f]
    fraction, exponent = x & ((1 << (p - 1)) - 1), x >> (p - 1) & ((1 << (bits - p)) - 1)
    if exponent == 0:
        value = fraction * Fraction(2)**(least - p + 1)
    else:
        value = (fraction | 1 << (p - 1)) * Fraction(2)**(exponent - greatest - p + 1)
    return -value if x & minus(f) else value


def rounds_up(rest, odd, negative, mode):
    half = Fraction(1, 2)
    return {'n': rest > half or (rest == half and odd), 'z': False, 'm': negative and rest > 0,
            'p': not negative and rest > 0}[mode]


def encode(x, f, mode='n', zero=0):
    """x rounded to nearest even, zero, minus or plus infinity; `zero` are the bits of an exact 0."""
    p, least, greatest, _ = FORMATS[f]
    if x == 0:
        return zero
    x = Fraction(x)
    exponent = abs(x.numerator).bit_length() - x.denominator.bit_length()
    exponent -= Fraction(2)**exponent > abs(x)
    exponent = max(exponent, least)
    digits, rest = divmod(abs(x) / Fraction(2)**(exponent - p + 1), 1)
    digits += rounds_up(rest, digits % 2 == 1, x < 0, mode)
    if digits == 1 << p:
        digits, exponent = digits // 2, exponent + 1
    sign = minus(f) if x < 0 else 0
    if exponent > greatest:
        towards_zero = mode == 'z' or (mode == 'm' and x > 0) or (mode == 'p' and x < 0)
        return sign | infinity(f) - towards_zero
    if digits < 1 << (p - 1):
        return sign | int(digits)
    return sign | (exponent + greatest) << (p - 1) | int(digits) - (1 << (p - 1))


VALUES = [(Fraction(3, 2), Fraction(5, 4)), (Fraction(1, 3), Fraction(2, 7)),
          (Fraction(-100), Fraction(1, 1000)), (Fraction(7, 5), Fraction(-7, 5)),
          (Fraction(1000), Fraction(3))]
MODES = {'n': '.rn', 'z': '.rz', 'm': '.rm', 'p': '.rp'}
ARITHMETIC = {'add': lambda a, b: a + b, 'sub': lambda a, b: a - b, 'mul': lambda a, b: a * b,
              'div': lambda a, b: a / b}


def arithmetic(f):
    r, half = FREG[f], f in ('f16', 'bf16')
    for name, value in ARITHMETIC.items():
        if half and name == 'div':
            continue
        for mode, suffix in MODES.items():
            if half and mode != 'n':
                continue
            for a, b in VALUES:
                a, b = encode(a, f), encode(b, f)
                zero = minus(f) if mode == 'm' else 0
                result = encode(value(decode(a, f), decode(b, f)), f, mode, zero)
                case(f'{name}{suffix}.{f} {r}0, {r}1, {r}2;', (a, b), result)
    for mode in 'n' if half else 'nzp':
        for values in ((Fraction(1, 3), Fraction(2, 7), 5), (-3, Fraction(7, 3), 7),
                       (1 + Fraction(1, 128), 1 + Fraction(1, 128), -1)):
            a, b, c = (encode(x, f) for x in values)
            exact = decode(a, f) * decode(b, f) + decode(c, f)
            for name in ('fma',) if half else ('fma', 'mad'):
                case(f'{name}{MODES[mode]}.{f} {r}0, {r}1, {r}2, {r}3;', (a, b, c),
                     encode(exact, f, mode))


def extremes(f):
    r, one = FREG[f], encode(1, f)
    for name, value in (('min', min), ('max', max)):
        text = f'{name}.{f} {r}0, {r}1, {r}2;'
        for a, b in VALUES:
            case(text, (encode(a, f), encode(b, f)), encode(value(a, b), f))
        case(text, (nan(f), one), one)
        case(text, (one, nan(f)), one)
        zero = minus(f) if name == 'min' else 0
        case(text, (minus(f), 0), zero)
        case(text, (0, minus(f)), zero)
    for a in (Fraction(3, 2), Fraction(-3, 2)):
        case(f'abs.{f} {r}0, {r}1;', (encode(a, f),), encode(abs(a), f))
        case(f'neg.{f} {r}0, {r}1;', (encode(a, f),), encode(-a, f))


def pairs_of_halves(f):
    def pack(high, low):
        return encode(high, f) << 16 | encode(low, f)

    def both(value, *words):
        high = value(*(decode(w >> 16, f) for w in words))
        low = value(*(decode(w & 0xffff, f) for w in words))
        return pack(high, low)

    a, b, c = pack(Fraction(1, 3), 3), pack(5, Fraction(-1, 7)), pack(-1, 100)
    for name, value in {**ARITHMETIC, 'min': min, 'max': max}.items():
        if name != 'div':
            case(f'{name}.{f}x2 %r0, %r1, %r2;', (a, b), both(value, a, b))
    case(f'fma.rn.{f}x2 %r0, %r1, %r2, %r3;', (a, b, c), both(lambda x, y, z: x * y + z, a, b, c))
    case(f'neg.{f}x2 %r0, %r1;', (b,), b ^ 0x80008000)
    case(f'abs.{f}x2 %r0, %r1;', (b,), b & 0x7fff7fff)


def functions(f):
    r = FREG[f]
    for x, root in ((4, 2), (Fraction(9, 16), Fraction(3, 4))):
        case(f'sqrt.rn.{f} {r}0, {r}1;', (encode(x, f),), encode(root, f))
        case(f'rsqrt.approx.{f} {r}0, {r}1;', (encode(x, f),), encode(1 / Fraction(root), f))
        case(f'rcp.rn.{f} {r}0, {r}1;', (encode(x, f),), encode(1 / Fraction(x), f))
    for a, b, result in ((-2, 3, -3), (2, -3, 3)):
        case(f'copysign.{f} {r}0, {r}1, {r}2;', (encode(a, f), encode(b, f)), encode(result, f))
    tests = {'normal': (encode(1, f), 1), 'notanumber': (nan(f), 1), 'subnormal': (1, 1),
             'finite': (infinity(f), 0), 'infinite': (infinity(f) | minus(f), 1),
             'number': (nan(f), 0)}
    for name, (x, result) in tests.items():
        case(f'testp.{name}.{f} %p0, {r}1; selp.b32 %r0, 1, 0, %p0;', (x,), result)


def f32(x):
    return encode(x, 'f32')


def special_floats():
    one, two, inf = f32(1), f32(2), infinity('f32')
    for name, result in (('min', one), ('max', two)):
        case(f'{name}.NaN.f32 %f0, %f1, %f2;', (nan('f32'), one), 0x7fffffff)
        case(f'{name}.NaN.f32 %f0, %f1, %f2;', (two, one), result)
    case('sqrt.rn.f32 %f0, %f1;', (two,), 0x3fb504f3)
    case('div.full.f32 %f0, %f1, %f2;', (f32(6), f32(3)), two)
    case('div.approx.f32 %f0, %f1, %f2;', (f32(6), f32(3)), two)
    # Subnormal numbers are 0 before and after the operation, or stay.
    case('rcp.approx.ftz.f32 %f0, %f1;', (1,), inf)
    case('add.ftz.f32 %f0, %f1, %f2;', (1, 0x80000001), 0)
    case('add.f32 %f0, %f1, %f2;', (1, 1), 2)
    case('mul.ftz.f32 %f0, %f1, %f2;', (f32(Fraction(1, 2**100)), f32(Fraction(-1, 2**30))),
         0x80000000)
    for a, result in ((Fraction(5, 2), 1), (-1, 0), (Fraction(1, 4), Fraction(1, 4))):
        case('add.sat.f32 %f0, %f1, 0f00000000;', (f32(a),), f32(result))
        case('fma.rn.sat.f32 %f0, %f1, 0f3F800000, 0f00000000;', (f32(a),), f32(result))
    case('add.sat.f16 %h0, %h1, %h2;', (encode(2, 'f16'),) * 2, encode(1, 'f16'))
    case('ex2.approx.f32 %f0, %f1;', (f32(3),), f32(8))
    case('lg2.approx.f32 %f0, %f1;', (f32(Fraction(1, 4)),), f32(-2))
    case('sin.approx.f32 %f0, %f1;', (0,), 0)
    case('cos.approx.f32 %f0, %f1;', (0,), one)
    case('tanh.approx.f32 %f0, %f1;', (inf,), one)
    case('ex2.approx.f16 %h0, %h1;', (encode(-1, 'f16'),), encode(Fraction(1, 2), 'f16'))
    case('tanh.approx.f16 %h0, %h1;', (infinity('f16') | minus('f16'),), encode(-1, 'f16'))


# ---- choices and comparisons ----

def choices():
    minus_one = 0xffffffff
    for t in ('b32', 'u32', 's32'):
        for c, result in ((5, 11), (0, 11), (minus_one, 22)):
            case(f'slct.{t}.s32 %r0, %r1, %r2, %r3;', (11, 22, c), result)
    for c, result in ((5, 11), (minus_one, 22)):
        case('slct.b64.s32 %d0, %d1, %d2, %r3;', (11, 22, c), result)
        case('slct.f32.s32 %f0, %f1, %f2, %r3;', (11, 22, c), result)
    for c, result in ((f32(1), 11), (f32(-1), 22), (nan('f32'), 22)):
        case('slct.f32.f32 %f0, %f1, %f2, %f3;', (11, 22, c), result)
        case('slct.b32.f32 %r0, %r1, %r2, %f3;', (11, 22, c), result)


COMPARISONS = {'eq': lambda a, b: a == b, 'ne': lambda a, b: a != b, 'lt': lambda a, b: a < b,
               'le': lambda a, b: a <= b, 'gt': lambda a, b: a > b, 'ge': lambda a, b: a >= b}
UNSIGNED = {'lo': 'lt', 'ls': 'le', 'hi': 'gt', 'hs': 'ge'}
AS_WORD = ' selp.b32 %r0, 1, 0, %p0;'


def comparisons():
    for bits, r in REG.items():
        for sign in 'us':
            read = reader(sign, bits)
            names = {name: name for name in COMPARISONS}
            names.update(UNSIGNED if sign == 'u' else {})
            for name, meaning in names.items():
                for a, b in ((1, unsigned(-1, bits)), (4, 4), (9, 3)):
                    case(f'setp.{name}.{sign}{bits} %p0, {r}1, {r}2;' + AS_WORD, (a, b),
                         int(COMPARISONS[meaning](read(a), read(b))))
    for f, r in FREG.items():
        one = encode(1, f)
        for name, holds in COMPARISONS.items():
            for u in ('', 'u'):
                text = f'setp.{name}{u}.{f} %p0, {r}1, {r}2;' + AS_WORD
                for a, b in ((1, 2), (2, 2), (-3, -4)):
                    case(text, (encode(a, f), encode(b, f)), int(holds(a, b)))
                case(text, (nan(f), one), int(u == 'u'))
        for name, values in (('num', (1, 0)), ('nan', (0, 1))):
            for other, result in zip((one, nan(f)), values):
                case(f'setp.{name}.{f} %p0, {r}1, {r}2;' + AS_WORD, (one, other), result)


def predicates():
    case('setp.eq.b32 %p0, %r1, 7;' + AS_WORD, (7,), 1)
    both = ('setp.gt.s32 %p1, %r1, 0; setp.lt.and.s32 %p0|%p2, %r1, 10, %p1;' + AS_WORD +
            ' selp.b32 %r1, 2, 0, %p2; or.b32 %r0, %r0, %r1;')
    case(both, (5,), 1)
    case(both, (15,), 2)
    # Halves 1 and 2 against 2 and 2, the lower ones first.
    pair = ('setp.ltu.f16x2 %p0|%p2, %r1, %r2;' + AS_WORD +
            ' selp.b32 %r1, 2, 0, %p2; or.b32 %r0, %r0, %r1;')
    case(pair, (0x40003c00, 0x40004000), 1)
    case(pair, (0x3c004000, 0x40004000), 2)
    case(pair, (0x7e007e00, 0x40004000), 3)
    case('setp.gt.s32 %p1, %r1, 0; setp.lt.or.s32 %p0, %r1, 10, !%p1;' + AS_WORD, (15,), 0)
    case('setp.gt.s32 %p1, %r1, 0; setp.lt.xor.s32 %p0, %r1, 10, %p1;' + AS_WORD, (15,), 1)
    case('set.lt.u32.s32 %r0, %r1, %r2;', (0xffffffff, 1), 0xffffffff)
    case('set.gt.f32.f32 %f0, %f1, %f2;', (f32(2), f32(1)), f32(1))
    for name, result in (('and', 0), ('or', 1), ('xor', 1)):
        case(f'setp.eq.u32 %p1, %r1, 1; setp.eq.u32 %p2, %r1, 2; {name}.pred %p0, %p1, %p2;' +
             AS_WORD, (1,), result)
    case('setp.eq.u32 %p1, %r1, 1; not.pred %p0, %p1;' + AS_WORD, (1,), 0)
    case('mov.pred %p0, 1; selp.b64 %d0, %d1, %d2, %p0;', (1 << 40, 5), 1 << 40)
    case('mov.pred %p0, 0; selp.b16 %h0, %h1, %h2, %p0;', (3, 4), 4)
    case('setp.eq.u32 %p0, %r1, 1; mov.u32 %r0, 5; @%p0 mov.u32 %r0, 6;', (1,), 6)
    case('setp.eq.u32 %p0, %r1, 1; mov.u32 %r0, 5; @!%p0 mov.u32 %r0, 6;', (1,), 5)


# ---- moves and conversions ----

def moves():
    case('mov.b64 %d0, {%r1, %r2};', (0x11111111, 0x22222222), 0x2222222211111111)
    case('mov.b64 {%r5, %r0}, %d1;', (0x2222222211111111,), 0x22222222)
    case('mov.b64 {_, %r0}, %d1;', (0x2222222211111111,), 0x22222222)
    case('mov.b32 %r0, {%h1, %h2};', (0x1234, 0x5678), 0x56781234)
    case('mov.b32 {%h0, %h5}, %r1;', (0x56781234,), 0x1234)
    case('mov.b64 %d0, {%h1, %h2, %h3, %h4};', (1, 2, 3, 4), 0x0004000300020001)
    case('mov.b32 %f0, 0f3F800000;', (), 0x3f800000)
    case('mov.f64 %e0, 0d3FF0000000000000;', (), 0x3ff0000000000000)
    case('mov.u32 %r0, -1;', (), 0xffffffff)
    for name, value in (('laneid', 0), ('ntid.x', 1), ('lanemask_eq', 1), ('lanemask_le', 1),
                        ('lanemask_lt', 0), ('lanemask_ge', 2**32 - 1), ('lanemask_gt', 2**32 - 2)):
        case(f'mov.u32 %r0, %{name};', (), value)


WHOLE_TYPES = [sign + str(bits) for bits in (8, 16, 32, 64) for sign in 'us']


def place(t):
    """Register and its bits: there are none of 8."""
    bits = max(int(t[1:]), 16)
    return REG[bits], bits


def clamp(x, t):
    bits = int(t[1:])
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if t[0] == 's' else (0, (1 << bits) - 1)
    return max(low, min(high, x))


def conversions_of_whole():
    a = 0x8899aabbccddeef5
    for source in WHOLE_TYPES:
        x, r = reader(source[0], int(source[1:]))(a), place(source)[0]
        for target in WHOLE_TYPES:
            if source == target:
                continue
            to, bits = place(target)
            case(f'cvt.{target}.{source} {to}0, {r}1;', (a,),
                 unsigned(reader(target[0], int(target[1:]))(x), bits))
            case(f'cvt.sat.{target}.{source} {to}0, {r}1;', (a,), unsigned(clamp(x, target), bits))
    case('cvt.s64.s8 %d0, %r1;', (0xf5,), unsigned(-11, 64))
    case('cvt.u32.u8 %r0, %r1;', (0x1f5,), 0xf5)


WHOLE_ROUNDING = {'rni': round, 'rzi': int, 'rmi': lambda x: x.__floor__(),
                  'rpi': lambda x: x.__ceil__()}


def conversions_between_kinds(f):
    r = FREG[f]
    for t in WHOLE_TYPES:
        bits = int(t[1:])
        other, other_bits = place(t)
        for a in (5, unsigned(-3, bits), (1 << (bits - 1)) - 1, 0x123456789abcdef1):
            for mode in 'nz' if f == 'f32' else 'n':
                case(f'cvt{MODES[mode]}.{f}.{t} {r}0, {other}1;', (a,),
                     encode(reader(t[0], bits)(a), f, mode))
        for x in (Fraction(5, 2), Fraction(-7, 2), Fraction(7, 2), 1000, -40000, 2**70):
            x = encode(x, f)
            if x & infinity(f) == infinity(f):
                continue
            for name, value in WHOLE_ROUNDING.items():
                case(f'cvt.{name}.{t}.{f} {other}0, {r}1;', (x,),
                     unsigned(clamp(value(Fraction(decode(x, f))), t), other_bits))
        case(f'cvt.rzi.{t}.{f} {other}0, {r}1;', (nan(f),), 0)


def conversions_of_floats(source, target):
    narrow = FORMATS[target][3] < FORMATS[source][3]
    for x in (Fraction(1, 3), -1000, Fraction(1, 2**15) + Fraction(1, 2**26), 2049,
              Fraction(1, 2**149), 10**30, 1 + Fraction(1, 2**8)):
        x = encode(x, source)
        if x == infinity(source):
            continue
        for mode in 'nz' if narrow else ' ':
            rounding = MODES.get(mode, '')
            case(f'cvt{rounding}.{target}.{source} {FREG[target]}0, {FREG[source]}1;', (x,),
                 encode(decode(x, source), target, mode if narrow else 'n'))
    rounding = '.rn' if narrow else ''
    case(f'cvt{rounding}.{target}.{source} {FREG[target]}0, {FREG[source]}1;',
         (infinity(source) | minus(source),), infinity(target) | minus(target))


def special_conversions():
    third = encode(Fraction(1, 3), 'f64')
    for mode in 'mp':
        case(f'cvt{MODES[mode]}.f32.f64 %f0, %e1;', (third,), encode(decode(third, 'f64'), 'f32', mode))
    half = Fraction(1, 2)
    for name, x, result in (('rni', 2 + half, 2), ('rzi', -2 - half, -2), ('rmi', -2 - half, -3),
                            ('rpi', 2 + half, 3)):
        case(f'cvt.{name}.f32.f32 %f0, %f1;', (f32(x),), f32(result))
        case(f'cvt.{name}.f16.f16 %h0, %h1;', (encode(x, 'f16'),), encode(result, 'f16'))
    case('cvt.sat.f32.f32 %f0, %f1;', (f32(3),), f32(1))
    case('cvt.ftz.f32.f32 %f0, %f1;', (3,), 0)
    third = Fraction(1, 3)
    for f in ('f16', 'bf16'):
        case(f'cvt.rn.{f}x2.f32 %r0, %f1, %f2;', (f32(1), f32(third)),
             encode(1, f) << 16 | encode(third, f))
    case('cvt.rn.relu.f16x2.f32 %r0, %f1, %f2;', (f32(-1), f32(2)), encode(2, 'f16'))
    # Ties go away from zero.
    for x, result in ((0x3f801000, 0x3f802000), (0x3f800fff, 0x3f800000), (0xbf803000, 0xbf804000),
                      (0x7f800000, 0x7f800000)):
        case('cvt.rna.tf32.f32 %r0, %f1;', (x,), result)


def main():
    for bits in REG:
        for sign in 'us':
            whole(bits, sign)
        signs(bits)
        logic(bits)
        if bits > 16:
            counts(bits)
            fields(bits)
    for make in (saturating, dot_products, funnel_shifts, permutations, bits_of_32, special_floats,
                 choices, comparisons, predicates, moves, conversions_of_whole, special_conversions):
        make()
    for f in FORMATS:
        arithmetic(f)
        extremes(f)
        if f in ('f16', 'bf16'):
            pairs_of_halves(f)
        else:
            functions(f)
        if f != 'bf16':
            conversions_between_kinds(f)
    for source, target in (('f16', 'f32'), ('f16', 'f64'), ('bf16', 'f32'), ('f32', 'f16'),
                           ('f32', 'bf16'), ('f32', 'f64'), ('f64', 'f16'), ('f64', 'f32')):
        conversions_of_floats(source, target)
    with open(sys.argv[1], 'w', encoding='ascii') as out:
        for (text, inputs), (kind, result) in cases.items():
            values = ', '.join(f'UINT64_C({x:#x})' for x in (*inputs, result))
            *inputs, result = values.split(', ')
            out.write(f'PTX_CASE("{text}", {kind}, {", ".join(inputs)}, {result})\n')


if __name__ == '__main__':
    main()
