#!/usr/bin/env python3
"""Whether loader/import/onnx/attrs.def is what the schemas of the onnx package say:  attributes.py FILE

For each operator of the default domain and each of its attributes that not all of its versions
have, the opsets that have it; a row of the file that does not begin or end where the operator does
must be one of these.  Prints what is missing and what is too much.
"""

import collections
import re
import sys

from onnx import defs

# Deprecated in the versions before, which are read all the same.
READ_ALL_THE_SAME = {"GroupNormalization"}


def spans(versions, newest):
    """By attribute, the opsets (from, to) that have it, neighbouring ones joined."""
    ends = [v.since_version - 1 for v in versions[1:]] + [newest]
    found = collections.defaultdict(list)
    for schema, end in zip(versions, ends):
        for name in schema.attributes if not schema.deprecated else ():
            if found[name] and found[name][-1][1] == schema.since_version - 1:
                found[name][-1] = (found[name][-1][0], end)
            else:
                found[name].append((schema.since_version, end))
    alive = [(s, e) for s, e in zip(versions, ends) if not s.deprecated]
    return found, (alive[0][0].since_version, alive[-1][1]) if alive else None


def main():
    operators = collections.defaultdict(list)
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            operators[schema.name].append(schema)
    newest = max(s.since_version for all_of in operators.values() for s in all_of)
    rows = collections.defaultdict(list)
    row = re.compile(r'(?m)^ATTR\("(\w+)", "(\w+)", (\d+), (\d+|NEWEST), (\w+)\)')
    for op, name, first, last, presence in row.findall(open(sys.argv[1]).read()):
        rows[op, name].append((int(first), newest if last == "NEWEST" else int(last)))
    wrong = []
    for op, versions in sorted(operators.items()):
        found, whole = spans(sorted(versions, key=lambda s: s.since_version), newest)
        for name in sorted(set(found) | {n for o, n in rows if o == op}):
            have = sorted(rows.pop((op, name), []))
            joined = [have[0]] if have else []
            for first, last in have[1:]:
                if first == joined[-1][1] + 1:
                    joined[-1] = (joined[-1][0], last)
                else:
                    joined.append((first, last))
            if name == "consumed_inputs" or op in READ_ALL_THE_SAME:
                continue
            # A row only says that it is required in all opsets of the operator, or none is there.
            want = found[name] if found[name] != [whole] or joined else []
            if [(max(f, whole[0]), t) for f, t in joined] != want:
                wrong.append(f"{op} {name}: the rows say {joined}, the schemas {found[name]}")
    wrong += [f"{op} {name}: there is no such operator" for op, name in rows]
    if wrong:
        print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
