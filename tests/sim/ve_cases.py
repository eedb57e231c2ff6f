#!/usr/bin/env python3
"""Writes what the Vector Engine's instructions must give, for test_ve.c: ve_cases.py FILE

Each line is VE_CASE(instructions, kind of the result, four inputs of four elements, masks 2 and 3, result). The inputs
are in %v0 to %v3 with a vector length of 4; their first elements also in %s0 to %s3. %s4 is the address of the inputs, one
behind the other, %s5 that of 256 bytes of zeros. The result is %s0 (kind s), the elements of %v0 (v) or the first word
of %vm1 (m). The values follow the architecture guide (Rev 1.1, chapter 8) and are computed with whole numbers and
exact fractions, so that nothing is shared with the simulator. Every row of ve_decode.def must be here."""
import sys
from fractions import Fraction

from ptx_cases import decode, encode, infinity, minus, nan, quotient, signed, unsigned

M32, M64 = 2**32 - 1, 2**64 - 1
cases = []

A = [0x0000000500000003, 0xfffffffe80000000, 0x7fffffff00000001, 0x8000000012345678]
B = [0x0000000200000007, 0x000000037fffffff, 0x80000001ffffffff, 0xffffffff00000009]
OLD = [0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444]
MASK, MASK_LOW = 0b0101 << 60, 0b0011 << 60  # of elements 1 and 3, and of 2 and 3


def case(text, kind, result, v1=A, v2=B, v3=OLD, mask=MASK, mask_low=MASK_LOW, v0=OLD):
    inputs = [[x & M64 for x in v] for v in (v0, v1, v2, v3)]
    result = [x & M64 for x in (result if isinstance(result, list) else [result])]
    cases.append((text, kind, inputs, mask, mask_low, result + [0] * (4 - len(result))))


def scalar(text, result, s1=0, s2=0, s3=0, s0=0):
    case(text, 's', result, [s1] * 4, [s2] * 4, [s3] * 4, v0=[s0] * 4)


def has(mask, i):
    return mask >> (63 - i) & 1


def merged(result, is_pair=False):
    """What stays of OLD under the masks."""
    low = MASK_LOW if is_pair else MASK
    return [(r & M32 << 32 if has(MASK, i) else old & M32 << 32) | (r & M32 if has(low, i) else old & M32)
            for i, (r, old) in enumerate(zip(result, OLD))]


def spread(x):
    return [x] * 4


# ---- types of elements: what is read of one, what becomes of a result ----

def halves(read):
    return {'lo': (lambda x: read(x & M32), lambda r: r & M32),
            'up': (lambda x: read(x >> 32), lambda r: (r & M32) << 32)}


def s32(x):
    return signed(x, 32)


SIGNED, UNSIGNED = halves(s32), halves(lambda x: x)
TYPES = {'u64': (lambda x: x, lambda r: r & M64), 's64': (lambda x: signed(x, 64), lambda r: r & M64),
         'sx': (lambda x: s32(x & M32), lambda r: s32(r & M32) & M64),
         's.lo': SIGNED['lo'], 's.up': SIGNED['up'], 'u.lo': UNSIGNED['lo'], 'u.up': UNSIGNED['up'],
         'd': (lambda x: decode(x, 'f64'), lambda r: encode(r, 'f64')),
         'f.lo': (lambda x: decode(x & M32, 'f32'), lambda r: encode(r, 'f32')),
         'f.up': (lambda x: decode(x >> 32, 'f32'), lambda r: encode(r, 'f32') << 32)}


def each(kind, value, *sources):
    """The result's elements; `kind` is s.p and so on for both halves."""
    if kind.endswith('.p'):
        low, high = each(kind[0] + '.lo', value, *sources), each(kind[0] + '.up', value, *sources)
        return [h | lo for h, lo in zip(high, low)]
    read, write = TYPES[kind]
    return [write(value(*(read(x) for x in xs))) for xs in zip(*sources)]


def both(name, kind, value, v1=A, v2=B, operands='%v1, %v2', order=(0, 1)):
    """Elements of two vectors; under a mask; with a scalar in the first one's place."""
    is_pair = kind.endswith('.p')
    v = (v1, v2)
    result = each(kind, value, v[order[0]], v[order[1]])
    case(f'{name} %v0, {operands}', 'v', result, v1, v2)
    case(f'{name} %v0, {operands}, %vm2', 'v', merged(result, is_pair), v1, v2)
    result = each(kind, value, *((spread(v1[0]), v2) if order == (0, 1) else (v2, spread(v1[0]))))
    case(f'{name} %v0, {operands.replace("%v1", "%s1")}', 'v', result, v1, v2)


def four(name, kind, value, plain, **more):
    """The forms for both halves, each half and, as `plain`, of one word or 64 bits."""
    suffixes = {'.lo': '.lo', '.up': '.up', '': '.p'}
    for suffix, part in suffixes.items():
        both(f'pv{name}{suffix}', kind + part, value, **more)
    for text, part in plain.items():
        both(text, part, value, **more)


# ---- scalars ----

PAIRS = [(5, 3), (M64, 2), (2**63, 2**63 - 1), (0x123456789abcdef0, 0xfedcba987), (0x80000000, 0xffffffff)]


def s64(x):
    return signed(x, 64)


def compared(a, b):
    return (a > b) - (a < b)


def word_forms(name, value, pairs, order='%s1, %s2'):
    """Results of 32 bits, extended with their sign or zeros."""
    for a, b in pairs:
        r = value(s32(a & M32), s32(b & M32)) & M32
        scalar(f'{name}.sx %s0, {order}', s32(r), a, b)
        scalar(f'{name}.zx %s0, {order}', r, a, b)


def scalars():
    whole = {'addu.l': lambda a, b: a + b, 'adds.l': lambda a, b: a + b, 'subu.l': lambda a, b: a - b,
             'subs.l': lambda a, b: a - b, 'mulu.l': lambda a, b: a * b, 'muls.l': lambda a, b: a * b,
             'divu.l': lambda a, b: a // b, 'divs.l': lambda a, b: quotient(s64(a), s64(b)),
             'cmpu.l': compared, 'cmps.l': lambda a, b: compared(s64(a), s64(b)),
             'maxs.l': lambda a, b: max(s64(a), s64(b)), 'mins.l': lambda a, b: min(s64(a), s64(b)),
             'and': lambda a, b: a & b, 'or': lambda a, b: a | b, 'xor': lambda a, b: a ^ b,
             'eqv': lambda a, b: ~(a ^ b), 'nnd': lambda a, b: ~a & b,
             'muls.l.w': lambda a, b: s32(a & M32) * s32(b & M32),
             'addu.w': lambda a, b: (a + b) & M32, 'subu.w': lambda a, b: (a - b) & M32,
             'mulu.w': lambda a, b: (a * b) & M32, 'divu.w': lambda a, b: (a & M32) // (b & M32),
             'cmpu.w': lambda a, b: compared(a & M32, b & M32) & M32}
    for name, value in whole.items():
        for a, b in PAIRS:
            scalar(f'{name} %s0, %s1, %s2', value(a, b), a, b)
    for name, value in {'adds.w': lambda a, b: a + b, 'subs.w': lambda a, b: a - b, 'muls.w': lambda a, b: a * b,
                        'divs.w': quotient, 'cmps.w': compared, 'maxs.w': max, 'mins.w': min}.items():
        word_forms(name, value, PAIRS)
    for by in (0, 3, 31, 63):
        x = 0x8123456789abcdef
        scalar('sll %s0, %s1, %s2', x << by, x, by)
        scalar('sla.l %s0, %s1, %s2', x << by, x, by)
        scalar('srl %s0, %s1, %s2', x >> by, x, by)
        scalar('sra.l %s0, %s1, %s2', s64(x) >> by, x, by)
        scalar(f'sra.l %s0, %s1, {by}', s64(x) >> by, x)
    word_forms('sla.w', lambda a, b: a << (b & 31), [(0x40000001, 1), (5, 31), (M32, 4)])
    word_forms('sra.w', lambda a, b: a >> (b & 31), [(0x80000001, 1), (5, 31), (M32, 4)])
    for x in (0, 1, 2**63, 0x00f0123000000000, M64):
        scalar('ldz %s0, %s1', 64 - x.bit_length(), x)
        scalar('pcnt %s0, %s1', bin(x).count('1'), x)
        scalar('brv %s0, %s1', int(f'{x:064b}'[::-1], 2), x)
    scalar('bswp %s0, %s1, 0', 0xefcdab8967452301, 0x0123456789abcdef)
    scalar('bswp %s0, %s1, 1', 0x67452301efcdab89, 0x0123456789abcdef)
    # immediate operands: seven bits with a sign, and m zeros or ones before the opposite
    scalar('adds.l %s0, -64, %s1', 36, 100)
    scalar('and %s0, %s1, (60)0', 15, M64)
    scalar('or %s0, 5, (3)1', 7 << 61 | 5)
    scalar('or %s0, 0, (0)1', 0)


def addresses():
    scalar('lea %s0, 100(%s1, %s2)', 107, 5, 2)
    scalar('lea %s0, -1', M64)
    scalar('lea.sl %s0, 3(%s1, %s2)', 3 * 2**32 + 7, 5, 2)
    scalar('lea.sl %s0, -1(, %s1)', M64 - 2**32 + 1, M64 - (M64 - 2**32 + 1) - M32)
    x = 0x89abcdef81828384  # second input, 32 bytes behind %s4
    for name, result in {'ld': x, 'ldu': (x & M32) << 32, 'ldl.sx': s32(x & M32), 'ldl.zx': x & M32,
                         'ld2b.sx': signed(x, 16), 'ld2b.zx': x & 0xffff, 'ld1b.sx': signed(x, 8),
                         'ld1b.zx': x & 0xff}.items():
        scalar(f'{name} %s0, 32(, %s4)', result, x)
    scalar('ld %s0, (%s2, %s4)', x, x, 32)
    for name, result in {'st': x, 'stu': x >> 32, 'stl': x & M32, 'st2b': x & 0xffff, 'st1b': x & 0xff}.items():
        scalar(f'{name} %s1, 8(, %s5); ld %s0, 8(, %s5)', result, x)
    # what was in memory comes back; bytes are swapped where the second operand has bits
    swap = 'st %s1, 8(, %s5); or %s0, 0, %s2;'
    new = 0x1122334455667788
    merged_bytes = int.from_bytes(bytes((new if 0xa1 >> i & 1 else x) >> 8 * i & 255 for i in range(8)), 'little')
    scalar(f'{swap} ts1am.l %s0, 8(%s5), %s3', x, x, new, 0xa1)
    scalar(f'{swap} ts1am.l %s0, 8(%s5), %s3; ld %s0, 8(, %s5)', merged_bytes, x, new, 0xa1)
    scalar(f'{swap} ts1am.w %s0, 8(%s5), 15', s32(x & M32), x, new)
    scalar(f'{swap} ts1am.w %s0, 8(%s5), 15; ld %s0, 8(, %s5)', x & M32 << 32 | new & M32, x, new)
    # where memory has the last operand the first one is put there
    scalar(f'{swap} cas.l %s0, 8(%s5), %s3', x, x, new, x)
    scalar(f'{swap} cas.l %s0, 8(%s5), %s3; ld %s0, 8(, %s5)', new, x, new, x)
    scalar(f'{swap} cas.l %s0, 8(%s5), %s3; ld %s0, 8(, %s5)', x, x, new, x + 1)
    scalar(f'{swap} cas.w %s0, 8(%s5), %s3', s32(x & M32), x, new, x & M32)
    scalar(f'{swap} cas.w %s0, 8(%s5), %s3; ld %s0, 8(, %s5)', x & M32 << 32 | new & M32, x, new, x & M32)
    scalar('fencem 1; fencem 2; fencem 3; svob; nop; pfch 8(, %s4); or %s0, 1, (0)1', 1)


# ---- conditions ----

RELATIONS = {'gt': 'g', 'lt': 'l', 'ne': 'gl', 'eq': 'e', 'ge': 'ge', 'le': 'le', 'at': 'gleu', 'af': ''}
OF_FLOATS = {'num': 'gle', 'nan': 'u', 'gtnan': 'gu', 'ltnan': 'lu', 'nenan': 'glu', 'eqnan': 'eu', 'genan': 'geu',
             'lenan': 'leu'}


def relation(a, b):
    return 'u' if a is None or b is None else 'g' if a > b else 'l' if a < b else 'e'


def conditions():
    """A condition of whole numbers or floats; None is NaN."""
    d, s = (lambda x: nan('f64') if x is None else encode(x, 'f64'),
            lambda x: (nan('f32') if x is None else encode(x, 'f32')) << 32)
    whole = [(5, 3), (-5, 3), (4, 4), (0, 0), (-1, 0), (1, 0)]
    floats = [(Fraction(5, 2), 1), (-3, Fraction(1, 2)), (2, 2), (None, 1), (1, 0), (-1, 0), (None, 0), (0, 0)]
    for kind, write, values in (('l', unsigned64, whole), ('w', lambda x: x & M32 | 7 << 40, whole), ('d', d, floats),
                                ('s', s, floats)):
        names = dict(RELATIONS, **(OF_FLOATS if kind in 'ds' else {}))
        for name, holds in names.items():
            for a, b in values:
                branch(kind, name, write(a), write(b), relation(a, b) in holds)
                if b == 0:
                    yes = relation(a, b) in holds
                    scalar(f'cmov.{kind}.{name} %s0, %s2, %s1', 11 if yes else 22, write(a), 11, s0=22)
                    if name not in ('at', 'af'):
                        mask_of(kind, name, write(a), yes)


def unsigned64(x):
    return x & M64


def branch(kind, name, a, b, taken):
    """Over an instruction, and by an address in a register: sic is that of the next one."""
    over = '; or %s0, 1, (0)1; br.l 16; or %s0, 2, (0)1'
    if name in ('at', 'af'):
        text = f'br{"" if name == "at" else name}.{kind} 24'
    else:
        text = f'br{name}.{kind} %s1, %s2, 24'
    scalar(text + over, 2 if taken else 1, a, b)
    if b in (0, 7 << 40):
        condition = '' if name == 'at' else name
        operand = '' if name in ('at', 'af') else '%s1, '
        text = f'sic %s6; b{condition}.{kind} {operand}32(, %s6); or %s0, 1, (0)1; br.l 24; nop; or %s0, 2, (0)1'
        scalar(text, 2 if taken else 1, a)


def mask_of(kind, name, x, yes):
    """Element 1 is x; the others are 0."""
    v = [0, x, 0, 0]
    zero = 'e' in dict(RELATIONS, **OF_FLOATS)[name]
    bits = sum((yes if i == 1 else zero) << (63 - i) for i in range(4))
    forms = {'l': ['vfmk.l'], 'w': ['vfmk.w'], 'd': ['vfmk.d'], 's': ['pvfmk.s.up']}[kind]
    for form in forms:
        case(f'{form}.{name} %vm1, %v1', 'm', bits, v)
        case(f'{form}.{name} %vm1, %v1, %vm2', 'm', bits & MASK, v)
    if kind == 's':
        case(f'pvfmk.s.lo.{name} %vm1, %v1', 'm', bits, [e >> 32 for e in v])
    if kind == 'w':
        case(f'pvfmk.w.up.{name} %vm1, %v1', 'm', bits, [e << 32 for e in v])


# ---- floats ----

F = [(Fraction(3, 2), Fraction(5, 4)), (Fraction(1, 3), Fraction(2, 7)), (-100, Fraction(1, 1000)),
     (Fraction(7, 5), Fraction(-7, 5))]


def scalar_floats():
    operations = {'fadd': lambda a, b: a + b, 'fsub': lambda a, b: a - b, 'fmul': lambda a, b: a * b,
                  'fdiv': lambda a, b: a / b, 'fmax': max, 'fmin': min, 'fcmp': compared}
    for f, suffix, up in (('f64', 'd', 0), ('f32', 's', 32)):
        for name, value in operations.items():
            for a, b in F:
                a, b = encode(a, f), encode(b, f)
                scalar(f'{name}.{suffix} %s0, %s1, %s2', encode(value(decode(a, f), decode(b, f)), f) << up, a << up,
                       b << up)
        one = encode(1, f)
        for name in ('fmax', 'fmin'):
            scalar(f'{name}.{suffix} %s0, %s1, %s2', one << up, nan(f) << up, one << up)
            scalar(f'{name}.{suffix} %s0, %s1, %s2', one << up, one << up, nan(f) << up)
        scalar(f'fdiv.{suffix} %s0, %s1, %s2', (infinity(f) | minus(f)) << up, (one | minus(f)) << up, 0)
    modes = {'': round, '.rz': int, '.rp': ceiling, '.rm': floor, '.rn': round, '.ra': away}
    for x in (Fraction(5, 2), Fraction(-5, 2), Fraction(7, 2), -3, Fraction(-10, 3), 2**20):
        for mode, value in modes.items():
            d, s, r = encode(x, 'f64'), encode(x, 'f32') << 32, value(decode(encode(x, 'f64'), 'f64'))
            for kind, bits in (('d', d), ('s', s)):
                scalar(f'cvt.w.{kind}.sx{mode} %s0, %s1', r, bits)
                scalar(f'cvt.w.{kind}.zx{mode} %s0, %s1', r & M32, bits)
                case(f'vcvt.w.{kind}.sx{mode} %v0, %v1', 'v', spread(r), spread(bits))
                case(f'vcvt.w.{kind}.zx{mode} %v0, %v1', 'v', spread(r & M32), spread(bits))
            scalar(f'cvt.l.d{mode} %s0, %s1', r, d)
            case(f'vcvt.l.d{mode} %v0, %v1', 'v', spread(r), spread(d))
            case(f'pvcvt.w.s.lo{mode} %v0, %v1', 'v', spread(r & M32), spread(s >> 32 | 9 << 32))
            case(f'pvcvt.w.s.up{mode} %v0, %v1', 'v', spread((r & M32) << 32), spread(s | 9))
            case(f'pvcvt.w.s{mode} %v0, %v1', 'v', spread((r & M32) << 32 | r & M32), spread(s | s >> 32))
    for x in (0, 5, -5, 2**30 + 1, -2**31):
        d, s, w = encode(x, 'f64'), encode(x, 'f32'), x & M32
        scalar('cvt.d.w %s0, %s1', d, w | 3 << 33)
        scalar('cvt.s.w %s0, %s1', s << 32, w | 3 << 33)
        scalar('cvt.d.l %s0, %s1', d, x)
        case('vcvt.d.w %v0, %v1', 'v', spread(d), spread(w))
        case('vcvt.s.w %v0, %v1', 'v', spread(s << 32), spread(w | 3 << 33))
        case('pvcvt.s.w.lo %v0, %v1', 'v', spread(s), spread(w))
        case('pvcvt.s.w.up %v0, %v1', 'v', spread(s << 32), spread(w << 32))
        case('pvcvt.s.w %v0, %v1', 'v', spread(s << 32 | s), spread(w << 32 | w))
        case('vcvt.d.l %v0, %v1', 'v', spread(d), spread(x))
    for x in (Fraction(1, 3), -1000, 1 + Fraction(1, 2**30)):
        d = encode(x, 'f64')
        s = encode(decode(d, 'f64'), 'f32')
        back = encode(decode(s, 'f32'), 'f64')
        scalar('cvt.s.d %s0, %s1', s << 32, d)
        scalar('cvt.d.s %s0, %s1', back, s << 32)
        case('vcvt.s.d %v0, %v1', 'v', spread(s << 32), spread(d))
        case('vcvt.d.s %v0, %v1', 'v', spread(back), spread(s << 32 | 77))


def ceiling(x):
    return -floor(-x)


def floor(x):
    return x.numerator // x.denominator


def away(x):
    return floor(abs(x) + Fraction(1, 2)) * (1 if x > 0 else -1)


def floats_as(kind, values):
    """Elements in the places of that kind; what is not read is no float of use."""
    if kind == 'd':
        return [encode(x, 'f64') for x in values]
    words = [encode(x, 'f32') for x in values]
    if kind == 'f.p':
        return [w << 32 | u for w, u in zip(words, words[::-1])]
    return [w << 32 | 0x7fc00123 for w in words] if kind == 'f.up' else [0x7fc00123 << 32 | w for w in words]


FLOAT_FORMS = (('v{}.d', 'd'), ('pv{}.lo', 'f.lo'), ('pv{}.up', 'f.up'), ('pv{}', 'f.p'))


def vector_floats():
    y, z, w = ([p[0] for p in F], [p[1] for p in F], [Fraction(-3, 7), 5, Fraction(1, 9), 1000])
    for form, kind in FLOAT_FORMS:
        v1, v2, v3 = (floats_as(kind, v) for v in (y, z, w))
        for name, value in {'fadd': lambda a, b: a + b, 'fsub': lambda a, b: a - b, 'fmul': lambda a, b: a * b,
                            'fmax': max, 'fmin': min, 'fcmp': compared}.items():
            both(form.format(name), kind, value, v1=v1, v2=v2)
        for name, value in {'fmad': lambda a, b, c: b * c + a, 'fmsb': lambda a, b, c: b * c - a,
                            'fnmad': lambda a, b, c: -(b * c + a), 'fnmsb': lambda a, b, c: -(b * c - a)}.items():
            text, is_pair = form.format(name), kind == 'f.p'
            result = each(kind, value, v1, v2, v3)
            case(f'{text} %v0, %v1, %v2, %v3', 'v', result, v1, v2, v3)
            case(f'{text} %v0, %v1, %v2, %v3, %vm2', 'v', merged(result, is_pair), v1, v2, v3)
            case(f'{text} %v0, %s1, %v2, %v3', 'v', each(kind, value, spread(v1[0]), v2, v3), v1, v2, v3)
            case(f'{text} %v0, %v1, %s2, %v3', 'v', each(kind, value, v1, spread(v2[0]), v3), v1, v2, v3)
        # 1 / 4 and 1 / sqrt(4) are exact however rough the approximation is
        v1, fours = floats_as(kind, [4, Fraction(1, 4), 16, 1]), spread(0)
        for name, result in (('rcp', [Fraction(1, 4), 4, Fraction(1, 16), 1]),
                             ('rsqrt', [Fraction(1, 2), 2, Fraction(1, 4), 1])):
            want = each(kind, lambda x: x, floats_as(kind, result), *[])
            case(f'{form.format(name)} %v0, %v1', 'v', want, v1, fours)
            if name == 'rsqrt':
                case(f'{form.format(name)}.nex %v0, %v1', 'v', want, v1, fours)
    for suffix, kind in (('d', 'd'), ('s', 'f.up')):
        v1, v2 = floats_as(kind, y), floats_as(kind, z)
        result = each(kind, lambda a, b: a / b, v1, v2)
        case(f'vfdiv.{suffix} %v0, %v1, %v2', 'v', result, v1, v2)
        case(f'vfdiv.{suffix} %v0, %v1, %v2, %vm2', 'v', merged(result), v1, v2)
        case(f'vfdiv.{suffix} %v0, %s1, %v2', 'v', each(kind, lambda a, b: a / b, spread(v1[0]), v2), v1, v2)
        case(f'vfdiv.{suffix} %v0, %v1, %s2', 'v', each(kind, lambda a, b: a / b, v1, spread(v2[0])), v1, v2)
        v1 = floats_as(kind, [4, Fraction(9, 4), 0, 144])
        case(f'vfsqrt.{suffix} %v0, %v1', 'v', each(kind, lambda x: x, floats_as(kind, [2, Fraction(3, 2), 0, 12])), v1)


# ---- vectors of whole numbers ----

def vector_whole():
    four('addu', 'u', lambda a, b: a + b, {'vaddu.l': 'u64', 'vadds.l': 'u64'})
    four('subu', 'u', lambda a, b: a - b, {'vsubu.l': 'u64', 'vsubs.l': 'u64'})
    four('adds', 's', lambda a, b: a + b, {'vadds.w.sx': 'sx'})
    four('subs', 's', lambda a, b: a - b, {'vsubs.w.sx': 'sx'})
    four('cmpu', 'u', compared, {'vcmpu.l': 'u64'})
    four('cmps', 's', compared, {'vcmps.w.sx': 'sx', 'vcmps.l': 's64'})
    four('maxs', 's', max, {'vmaxs.w.sx': 'sx', 'vmaxs.l': 's64'})
    four('mins', 's', min, {'vmins.w.sx': 'sx', 'vmins.l': 's64'})
    for name, kind in {'vmulu.l': 'u64', 'vmuls.l': 's64', 'vmulu.w': 'u.lo', 'vmuls.w.sx': 'sx',
                       'vmuls.w.zx': 's.lo'}.items():
        both(name, kind, lambda a, b: a * b)
    wide = [s32(a & M32) * s32(b & M32) for a, b in zip(A, B)]
    case('vmuls.l.w %v0, %v1, %v2', 'v', wide)
    for name, kind, value in (('vdivu.l', 'u64', lambda a, b: a // b), ('vdivu.w', 'u.lo', lambda a, b: a // b),
                              ('vdivs.l', 's64', quotient), ('vdivs.w.sx', 'sx', quotient),
                              ('vdivs.w.zx', 's.lo', quotient)):
        both(name, kind, value)
        case(f'{name} %v0, %v1, %s2', 'v', each(kind, value, A, spread(B[0])))
    for name, value in {'and': lambda a, b: a & b, 'or': lambda a, b: a | b, 'xor': lambda a, b: a ^ b,
                        'eqv': lambda a, b: ~(a ^ b)}.items():
        four(name, 'u', value, {'v' + name: 'u64'})
        case(f'v{name} %v0, (48)0, %v2', 'v', each('u64', value, spread(0xffff), B))
    counts = [1, 31, 5, 17]
    by = [c << 32 | c for c in counts]
    for name, kind, bits, value in (('sll', 'u', 64, lambda x, n: x << n), ('srl', 'u', 64, lambda x, n: x >> n),
                                    ('sla', 's', 32, lambda x, n: x << n), ('sra', 's', 32, lambda x, n: x >> n)):
        plain = {f'v{name}': 'u64'} if bits == 64 else {f'v{name}.w.sx': 'sx', f'v{name}.l': 's64'}
        for text, part in dict({f'pv{name}.lo': kind + '.lo', f'pv{name}.up': kind + '.up', f'pv{name}': kind + '.p'},
                               **plain).items():
            width = 63 if part in ('u64', 's64') else 31
            result = each(part, lambda x, n: value(x, n & width), A, by)
            case(f'{text} %v0, %v1, %v2', 'v', result, A, by)
            case(f'{text} %v0, %v1, %v2, %vm2', 'v', merged(result, part.endswith('.p')), A, by)
            case(f'{text} %v0, %v1, %s2', 'v', each(part, lambda x, n: value(x, n & width), A, spread(by[0])), A, by)
    case('vsfa %v0, %v1, 3, %s2', 'v', [(x << 3) + 1000 for x in A], A, spread(1000))
    for name, value in {'ldz': lambda n: lambda x: n - x.bit_length(), 'pcnt': lambda n: lambda x: bin(x).count('1'),
                        'brv': lambda n: lambda x: int(f'{x:0{n}b}'[::-1], 2)}.items():
        for text, kind, n in ((f'v{name}', 'u64', 64), (f'pv{name}.lo', 'u.lo', 32), (f'pv{name}.up', 'u.up', 32),
                              (f'pv{name}', 'u.p', 32)):
            case(f'{text} %v0, %v1', 'v', each(kind, value(n), A))
    for text, factor in {'vseq': 1, 'pvseq.lo': 1, 'pvseq.up': 2**32, 'pvseq': 2**32 + 1}.items():
        result = [i * factor for i in range(4)]
        case(f'{text} %v0', 'v', result)
        case(f'{text} %v0, %vm2', 'v', merged(result, text == 'pvseq'))
    x = 0x1234567890abcdef
    for text, result in {'vbrd': x, 'vbrdl': x & M32, 'vbrdu': x & M32 << 32, 'pvbrd': x}.items():
        case(f'{text} %v0, %s1', 'v', spread(result), spread(x))
        case(f'{text} %v0, %s1, %vm2', 'v', merged(spread(result), text == 'pvbrd'), spread(x))
    case('vbrd %v0, -3', 'v', spread(-3))


# ---- reductions, moves, masks ----

def first(x):
    return [x] + OLD[1:]


def reductions():
    def under_mask(v):
        return [x for i, x in enumerate(v) if has(MASK, i)]

    def reduce(name, result, v=A):
        case(f'{name} %v0, %v1', 'v', first(result(v)), v)
        case(f'{name} %v0, %v1, %vm2', 'v', first(result(under_mask(v))), v)

    def words(v):
        return [s32(x & M32) for x in v]

    def longs(v):
        return [s64(x) for x in v]

    reduce('vsum.w.sx', lambda v: s32(sum(words(v)) & M32))
    reduce('vsum.w.zx', lambda v: sum(words(v)) & M32)
    reduce('vsum.l', sum)
    for which in ('fst', 'lst'):
        reduce(f'vrmaxs.w.{which}.sx', lambda v: max(words(v)))
        reduce(f'vrmaxs.w.{which}.zx', lambda v: max(words(v)) & M32)
        reduce(f'vrmins.w.{which}.sx', lambda v: min(words(v)))
        reduce(f'vrmins.w.{which}.zx', lambda v: min(words(v)) & M32)
        reduce(f'vrmaxs.l.{which}', lambda v: max(longs(v)))
        reduce(f'vrmins.l.{which}', lambda v: min(longs(v)))
    values = [Fraction(5, 2), -3, Fraction(1, 4), 1000]
    for kind, f, up, suffix in (('d', 'f64', 0, 'd'), ('f.up', 'f32', 32, 's')):
        v = floats_as(kind, values)
        picked = lambda v, f=f, up=up: [decode(x >> up, f) for x in v]
        reduce(f'vfsum.{suffix}', lambda v: encode(sum(picked(v)), f) << up, v)
        for which in ('fst', 'lst'):
            reduce(f'vfrmax.{suffix}.{which}', lambda v: encode(max(picked(v)), f) << up, v)
            reduce(f'vfrmin.{suffix}.{which}', lambda v: encode(min(picked(v)), f) << up, v)
    reduce('vrand', lambda v: v[0] & v[1] & (v[2] & v[3] if len(v) == 4 else M64))
    reduce('vror', lambda v: v[0] | v[1] | (v[2] | v[3] if len(v) == 4 else 0))
    reduce('vrxor', lambda v: v[0] ^ v[1] ^ (v[2] ^ v[3] if len(v) == 4 else 0))


def moves():
    for name, is_pair in (('vmrg', False), ('vmrg.w', True)):
        low = MASK_LOW if is_pair else MASK
        for text, ys in (('%v1', A), ('%s1', spread(A[0]))):
            case(f'{name} %v0, {text}, %v2, %vm2', 'v',
                 [(z if has(MASK, i) else y) & M32 << 32 | (z if has(low, i) else y) & M32
                  for i, (y, z) in enumerate(zip(ys, B))])
    for how in range(16):
        def half(bits, y, z):
            x = z if bits & 2 else y
            return x & M32 if bits & 1 else x >> 32
        case(f'vshf %v0, %v1, %v2, {how}', 'v',
             [half(how >> 2, y, z) << 32 | half(how & 3, y, z) for y, z in zip(A, B)])
    case('lvl 3; vmv %v0, 1, %v1; lvl 4', 'v', [A[1], A[2], A[3], OLD[3]])
    case('lea %s7, 256; lvl %s7; vseq %v1; vmv %v0, 127, %v1; vmv %v0, 127, %v0; lvl 4', 'v', [254, 255, 0, 1])
    case('vcp %v0, %v1, %vm2', 'v', [A[1], A[3], OLD[2], OLD[3]])
    case('vex %v0, %v1, %vm2', 'v', [OLD[0], A[0], OLD[2], A[1]])
    case('lsv %v0(2), %s1', 'v', [OLD[0], OLD[1], A[0], OLD[3]])
    case('lvs %s0, %v1(3)', 's', A[3])
    for name, value in {'andm': lambda a, b: a & b, 'orm': lambda a, b: a | b, 'xorm': lambda a, b: a ^ b,
                        'eqvm': lambda a, b: ~(a ^ b), 'nndm': lambda a, b: ~a & b}.items():
        case(f'{name} %vm1, %vm2, %vm3', 'm', value(MASK, MASK_LOW))
    case('negm %vm1, %vm2', 'm', ~MASK)
    case('andm %vm1, %vm0, %vm2', 'm', MASK)
    case('pcvm %s0, %vm2', 's', 2)
    case('lzvm %s0, %vm2', 's', 1)
    case('lzvm %s0, %vm3', 's', 2)
    case('lvm %vm1, 0, %s1', 'm', 0xf0, spread(0xf0))
    case('lvm %vm1, 3, %s1; svm %s0, %vm1, 3', 's', 0xf1, spread(0xf1))
    case('svl %s0', 's', 4)
    case('smvl %s0', 's', 256)
    case('lvl 3; svl %s0; lvl 4', 's', 3)


def memory():
    x = A + B  # behind one another at 32(%s4)
    words = [w for e in x for w in (e & M32, e >> 32)]
    case('lea %s6, 32(, %s4); vld %v0, 8, %s6', 'v', A)
    case('lea %s6, 32(, %s4); vld.nc %v0, 16, %s6', 'v', x[::2])
    case('lea %s6, 56(, %s4); vld %v0, -8, %s6', 'v', A[::-1])
    case('lea %s6, 32(, %s4); vld %v0, 0, %s6', 'v', spread(A[0]))
    for name, value in {'vldu': lambda w: w << 32, 'vldl.sx': s32, 'vldl.zx': lambda w: w}.items():
        for nc in ('', '.nc'):
            case(f'lea %s6, 32(, %s4); {name}{nc} %v0, 4, %s6', 'v', [value(w) for w in words[:4]])
            case(f'lea %s6, 36(, %s4); {name}{nc} %v0, 8, %s6', 'v', [value(w) for w in words[1::2][:4]])
    for ending in ('', '.nc', '.ot', '.nc.ot'):
        case(f'vst{ending} %v1, 8, %s5; svob; vld %v0, 8, %s5', 'v', A)
        case(f'vst{ending} %v1, 16, %s5, %vm2; lea %s6, 16(, %s5); vld %v0, 8, %s6', 'v', [A[1], 0, 0, 0])
        case(f'vstu{ending} %v1, 4, %s5; vldl.zx %v0, 4, %s5', 'v', [a >> 32 for a in A])
        case(f'vstl{ending} %v1, 4, %s5; vldl.zx %v0, 4, %s5', 'v', [a & M32 for a in A])
        case(f'vstl{ending} %v1, 4, %s5, %vm2; vldl.zx %v0, 4, %s5', 'v',
             [a & M32 if has(MASK, i) else 0 for i, a in enumerate(A)])
    # addresses: the inputs' from 32 on, in the order 2, 0, 3, 1
    order = [2, 0, 3, 1]
    at = 'vsfa %v3, %v3, {}, %s4; lea %s6, 32; vaddu.l %v3, %s6, %v3;'
    for name, shift, value in (('vgt', 3, lambda i: A[i]), ('vgtu', 2, lambda i: words[i] << 32),
                               ('vgtl.sx', 2, lambda i: s32(words[i])), ('vgtl.zx', 2, lambda i: words[i])):
        for nc in ('', '.nc'):
            result = [value(i) for i in order]
            case(f'{at.format(shift)} {name}{nc} %v0, %v3, 0, 0', 'v', result, v3=order)
            case(f'{at.format(shift)} {name}{nc} %v0, %v3, 0, 0, %vm2', 'v', merged(result), v3=order)
    case('lea %s6, 40(, %s4); vgt %v0, %s6, 0, 0', 'v', spread(A[1]))
    for ending in ('', '.nc', '.ot', '.nc.ot'):
        for name, size, shift, value in (('vsc', '', 3, lambda e: e), ('vscu', 'l.zx', 2, lambda e: e >> 32),
                                         ('vscl', 'l.zx', 2, lambda e: e & M32)):
            placed, some = [0] * 4, [0] * 4
            for i, place in enumerate(order):
                placed[place] = value(A[i])
                some[place] = value(A[i]) if has(MASK, i) else 0
            text = f'vsfa %v3, %v3, {shift}, %s5; {name}{ending} %v1, %v3, 0, 0'
            load = f'vld{size} %v0, {1 << shift}, %s5'
            case(f'{text}; svob; {load}', 'v', placed, v3=order)
            case(f'{text}, %vm2; svob; {load}', 'v', some, v3=order)
    case('pfchv 8, %s4; pfchv.nc 8, %s4; vor %v0, (0)1, %v1', 'v', A)


def write(path):
    with open(path, 'w', encoding='ascii') as out:
        for text, kind, inputs, mask, mask_low, result in cases:
            numbers = ', '.join('{' + ', '.join(f'UINT64_C({x:#x})' for x in v) + '}' for v in (*inputs, result))
            out.write(f"VE_CASE(\"{text}\", '{kind}', UINT64_C({mask:#x}), UINT64_C({mask_low:#x}), ({numbers}))\n")


def main():
    for make in (scalars, addresses, conditions, scalar_floats, vector_floats, vector_whole, reductions, moves, memory):
        make()
    write(sys.argv[1])


if __name__ == '__main__':
    main()
