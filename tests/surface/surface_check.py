#!/usr/bin/env python3
"""Compare an installed Python package with a recorded public API surface.

usage: python -m tests.surface.surface_check SURFACE.json [--as OLD=NEW] [--module M] [--missing]

Every recorded fact is one item: a module that imports, a name in it, a
constructor, a method, a property, an enum member, a supported dunder, ...
An item is matched or it is not. The last line is
    surface: M of N matched (X.X%)
Exit status: 0 all matched, 1 something is missing or different, 2 bad usage.

Standard library only. The implementation under test is imported, never run
beyond what its own import does.
"""

import argparse
import ast
import enum
import fnmatch
import functools
import importlib
import inspect
import json
import keyword
import os
import sys
import types
import warnings

from tests.surface.introspection import (
    ANY,
    KW,
    POS,
    UNKNOWN,
    VARK,
    VARP,
    class_init,
    constant_facts,
    enum_values,
    instance_attributes,
    is_async,
    member_facts,
    params_of,
    proto_facts,
    simple,
    supports,
    type_name,
)

# --------------------------------------------------------------------------
# Comparing
# --------------------------------------------------------------------------


def literal(text):
    try:
        return True, ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False, None


def default_equal(ref, got, got_value=None):
    if ref == UNKNOWN or ref == got or got == "Ellipsis":  # "...": compiled, not told
        return True
    ok_r, val_r = literal(ref)
    ok_g, val_g = literal(got)
    if ok_r and ok_g:
        return val_r == val_g
    if ok_r and isinstance(got_value, enum.Enum):
        return val_r == got_value.value
    return False


def raw_defaults(func):
    try:
        return {n: p.default for n, p in inspect.signature(func).parameters.items()}
    except (ValueError, TypeError, NameError, AttributeError):
        return {}


def compare_sig(ref, got, defaults):
    """None where a call that fits ref fits got; else what differs."""
    gpos = [p for p in got if p[1] in (POS, ANY)]
    gnames = {p[0]: p for p in got if p[1] in (ANY, KW)}
    gvarp = any(p[1] == VARP for p in got)
    gvark = any(p[1] == VARK for p in got)
    used = set()
    for index, p in enumerate([p for p in ref if p[1] in (POS, ANY)]):
        name, kind = p[0], p[1]
        if index >= len(gpos):
            if kind == ANY and name in gnames:
                return "parameter %r cannot be passed by position" % name
            return "parameter %r is missing" % name
        g = gpos[index]
        if kind == ANY and g[0] != name:
            if name in gnames:
                return "parameter %r is not at position %d" % (name, index + 1)
            return "parameter %r is missing (position %d is %r)" % (name, index + 1, g[0])
        if kind == ANY and g[1] == POS:
            return "parameter %r cannot be passed by keyword" % name
        used.add(g[0])
        if len(p) > 2:
            if len(g) < 3:
                return "parameter %r has no default" % name
            if not default_equal(p[2], g[2], defaults.get(g[0])):
                return "parameter %r: default is %s, not %s" % (name, g[2], p[2])
    for p in ref:
        name, kind = p[0], p[1]
        if kind == KW:
            g = gnames.get(name)
            if g is None:
                if gvark and keyword.iskeyword(name):
                    continue
                return "keyword parameter %r is missing" % name
            used.add(name)
            if len(p) > 2:
                if len(g) < 3:
                    return "parameter %r has no default" % name
                if not default_equal(p[2], g[2], defaults.get(name)):
                    return "parameter %r: default is %s, not %s" % (name, g[2], p[2])
        elif kind == VARP and not gvarp:
            return "takes no *%s" % name
        elif kind == VARK and not gvark:
            return "takes no **%s" % name
    for g in got:
        if g[1] in (POS, ANY, KW) and len(g) < 3 and g[0] not in used:
            return "extra required parameter %r" % g[0]
    return None


def awaitable_result(func):
    """Not a coroutine function, but says that it returns something to await."""
    if not isinstance(func, types.FunctionType):
        return True  # compiled: nothing to see
    note = str(func.__annotations__.get("return", ""))
    return any(w in note for w in ("Awaitable", "Coroutine", "Future", "Task", "AsyncIterator", "AsyncGenerator"))


CALLABLE_KINDS = {"method", "classmethod", "staticmethod"}
DATA_KINDS = {"property", "attribute", "constant", "data"}


class Checker:
    def __init__(self, surface, mapping):
        self.surface = surface
        self.mapping = mapping
        self.modules = {}
        self.loaded = set()
        self.rows = []
        self.shortfalls = []
        self.matched = self.total = self.unverified = 0

    # -- names of the original package to names of the one under test --

    def mapped(self, path):
        for old, new in self.mapping:
            if path == old or path.startswith(old + "."):
                return new + path[len(old) :]
        return path

    def import_all(self, names):
        failed = {}
        for attempt in (1, 2):  # some modules import only after others
            for name in names:
                if name in self.modules:
                    continue
                try:
                    self.modules[name] = importlib.import_module(self.mapped(name))
                    failed.pop(name, None)
                    if name == self.surface["package"]:
                        self.loaded = {s for s in self.surface.get("loaded_by_import", ()) if self.reachable(s)}
                except KeyboardInterrupt:
                    raise
                except BaseException as exc:
                    failed[name] = "%s: %s" % (type(exc).__name__, str(exc).split("\n")[0][:160])
        return failed

    def reachable(self, path):
        """Can the submodule be used after importing only the package?"""
        obj = self.modules[self.surface["package"]]
        try:
            for part in path.split(".")[1:]:
                obj = getattr(obj, part)
        except Exception:
            return False
        return isinstance(obj, types.ModuleType)

    def lookup(self, path):
        """The object under test for a recorded dotted path; KeyError if none."""
        module, _, name = path.rpartition(".")
        if module not in self.modules:
            try:
                self.modules[module] = importlib.import_module(self.mapped(module))
            except KeyboardInterrupt:
                raise
            except BaseException:
                raise KeyError(path)
        try:
            return getattr(self.modules[module], name)
        except AttributeError:
            raise KeyError(path)

    # -- one item --

    def item(self, where, problem):
        self.total += 1
        self.mtotal += 1
        if problem is None:
            self.matched += 1
            self.mmatched += 1
        else:
            self.shortfalls.append((self.module, where, problem))

    def fail_all(self, where, facts, problem="absent"):
        self.item(where, problem)
        for sub in sub_items(facts):
            self.item("%s.%s" % (where, sub), problem)

    # -- signatures --

    def sig_problem(self, facts, func, drop_first, got=None):
        if "sig" not in facts and "accepts" not in facts:
            return None
        if got is None:
            got = params_of(func, drop_first)
        if got is None:
            self.unverified += 1
            self.munverified += 1
            return None
        defaults = raw_defaults(func)
        problem = compare_sig(facts["sig"], got, defaults) if "sig" in facts else "no signature"
        if problem is not None and "accepts" in facts:
            problem = compare_sig(facts["accepts"], got, defaults)
        return problem

    def async_problem(self, facts, func):
        if facts.get("async"):
            if not is_async(func) and not awaitable_result(func):
                return "is not awaitable"
        elif is_async(func):
            return "is a coroutine function"
        return None

    # -- a class --

    def base_problem(self, facts, cls):
        for path in facts.get("bases", ()):
            module, _, name = path.rpartition(".")
            if path.split(".")[0] == self.surface["package"]:
                try:
                    base = self.lookup(path)
                except KeyError:
                    base = None
                if isinstance(base, type) and issubclass(cls, base):
                    continue
                if base is None and any(k.__name__ == name for k in cls.__mro__):
                    continue
                return "is not a subclass of %s" % path
            try:
                base = functools.reduce(getattr, name.split("."), importlib.import_module(module))
            except Exception:
                continue  # a third party's class that is not here
            if not (isinstance(base, type) and issubclass(cls, base)):
                return "is not a subclass of %s" % path
        return None

    def check_class(self, where, facts, cls):
        if not isinstance(cls, type):
            self.fail_all(where, facts, "is not a class")
            return
        kind = facts["kind"]
        problem = None
        if kind == "exception" and not issubclass(cls, BaseException):
            problem = "is not an exception"
        elif kind == "enum" and not issubclass(cls, enum.Enum):
            problem = "is not an enum"
        self.item(where, problem or self.base_problem(facts, cls))
        if "sig" in facts or "accepts" in facts or "async_init" in facts:
            got, awaits = class_init(cls)
            problem = None
            if bool(facts.get("async_init")) != awaits:
                problem = "constructor is %sawaitable" % ("" if awaits else "not ")
            if problem is None:
                func = inspect.getattr_static(cls, "__init__")
                if not isinstance(func, types.FunctionType):
                    func = inspect.getattr_static(cls, "__new__")
                    func = getattr(func, "__func__", func)
                    if not isinstance(func, types.FunctionType):
                        func = cls
                problem = self.sig_problem(facts, func, True, got=got)
            self.item(where + "()", problem)
        if "fields" in facts:
            got = list(getattr(cls, "_fields", ()))
            ok = issubclass(cls, tuple) and got == facts["fields"]
            self.item(where + "._fields", None if ok else "fields are %r" % (got,))
        if "proto" in facts:
            same = proto_facts(cls) == facts["proto"]
            self.item(where + ".DESCRIPTOR", None if same else "message differs")
        if "enum" in facts:
            values = enum_values(cls) if issubclass(cls, enum.Enum) else {}
            for name, value in facts["enum"].items():
                problem = None
                if name not in values:
                    problem = "absent"
                elif not same_value(value, values[name]):
                    problem = "value is %r, not %r" % (values[name], value)
                self.item("%s.%s" % (where, name), problem)
        for name in facts.get("dunders", ()):
            self.item("%s.%s" % (where, name), None if supports(cls, name) else "not supported")
        for name, ref in facts.get("members", {}).items():
            self.item("%s.%s" % (where, name), self.member_problem(cls, name, ref))

    def member_problem(self, cls, name, ref):
        try:
            inspect.getattr_static(cls, name)
        except AttributeError:
            if ref["kind"] in DATA_KINDS and "value" not in ref and name in instance_attributes(cls):
                return None
            return "absent"
        try:
            got = member_facts(cls, name)
        except Exception as exc:
            return "cannot be inspected: %s" % exc
        kind = ref["kind"]
        if kind in CALLABLE_KINDS:
            raw = inspect.getattr_static(cls, name)
            if got["kind"] in ("property", "attribute", "constant") or (
                got["kind"] in ("data", "class") and not callable(raw)
            ):
                return "is a %s, not a %s" % (got["kind"], kind)
            if got["kind"] in CALLABLE_KINDS and got["kind"] != kind:
                return "is a %s, not a %s" % (got["kind"], kind)
            func = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
            return self.async_problem(ref, func) or self.sig_problem(ref, func, kind != "staticmethod")
        if kind == "class":
            if got["kind"] != "class":
                return "is not a class"
            for n, v in ref.get("enum", {}).items():
                if not same_value(v, got.get("enum", {}).get(n)):
                    return "member %s differs" % n
            return None
        # property, instance attribute, constant, data: read without a call
        if got["kind"] in CALLABLE_KINDS:
            return "is a %s, not a %s" % (got["kind"], kind)
        if kind == "constant":
            if got["kind"] != "constant":
                value = inspect.getattr_static(cls, name)
                if not isinstance(value, (bool, int, float, str)):
                    return "is a %s, not a constant" % got["kind"]
                got = {"type": type(value).__name__, "value": value}
            return constant_problem(ref, got)
        if ref.get("set") and got["kind"] == "property" and got.get("set") is False:
            return "cannot be assigned"
        return None

    # -- a name in a module --

    def check_name(self, name, facts, module):
        kind = facts["kind"]
        if name not in vars(module) and not hasattr(module, name):
            self.fail_all(name, facts)
            return
        try:
            obj = getattr(module, name)
        except Exception as exc:
            self.fail_all(name, facts, "cannot be read: %s" % exc)
            return
        if "same_as" in facts:
            problem = None
            try:
                other = self.lookup(facts["same_as"])
                if other is not obj:
                    problem = "is not the same object as %s" % facts["same_as"]
            except KeyError:
                if kind != "function" and not isinstance(obj, type):
                    problem = "is not a class"
            self.item(name, problem)
        elif kind in ("class", "exception", "enum", "namedtuple"):
            self.check_class(name, facts, obj)
        elif kind == "function":
            if not callable(obj):
                self.item(name, "is not callable")
            else:
                self.item(name, self.async_problem(facts, obj) or self.sig_problem(facts, obj, False))
        elif kind == "constant":
            got = constant_facts(obj) if simple(obj) else None
            if got is None and isinstance(obj, (bool, int, float, str)):
                got = {"type": type(obj).__name__, "value": obj}
            self.item(name, "is not a constant" if got is None else constant_problem(facts, got))
        elif kind == "module":
            self.item(name, None if isinstance(obj, types.ModuleType) else "is not a module")
        elif kind == "data":
            want = getattr(builtins, facts.get("type", ""), None)
            ok = not isinstance(want, type) or isinstance(obj, want)
            self.item(name, None if ok else "is a %s, not a %s" % (type_name(obj), facts["type"]))
        else:  # alias: presence is all there is to check
            self.item(name, None)

    def check_module(self, name, facts, failure):
        self.module = name
        self.mtotal = self.mmatched = self.munverified = 0
        note = ""
        if failure is not None:
            note = failure
            self.item("(import)", failure)
            if "all" in facts:
                self.item("__all__", "module cannot be imported")
            for n, f in facts["names"].items():
                self.fail_all(n, f, "module cannot be imported")
        else:
            module = self.modules[name]
            self.item("(import)", None)
            if "all" in facts:
                self.item("__all__", all_problem(facts["all"], module))
            for n, f in facts["names"].items():
                try:
                    self.check_name(n, f, module)
                except RecursionError as exc:
                    self.item(n, "cannot be inspected: %s" % exc)
        if name == self.surface["package"]:
            for sub in self.surface.get("loaded_by_import", ()):
                self.item("(loaded) " + sub, None if sub in self.loaded else "not there after importing only %s" % name)
        self.rows.append((name, self.mmatched, self.mtotal, self.munverified, note))

    def run(self, patterns):
        facts = self.surface["modules"]
        names = [n for n in facts if not patterns or any(fnmatch.fnmatchcase(n, p) for p in patterns)]
        failed = self.import_all(names)
        for name in names:
            self.check_module(name, facts[name], failed.get(name))
        return names


def sub_items(facts):
    """The further items of a name, as check_class counts them."""
    if "same_as" in facts:
        return
    if facts["kind"] in ("class", "exception", "enum", "namedtuple"):
        if "sig" in facts or "accepts" in facts or "async_init" in facts:
            yield "()"
        if "fields" in facts:
            yield "_fields"
        if "proto" in facts:
            yield "DESCRIPTOR"
        yield from facts.get("enum", ())
        yield from facts.get("dunders", ())
        yield from facts.get("members", ())


def same_value(ref, got):
    if isinstance(ref, bool) or isinstance(got, bool):
        return type(ref) is type(got) and ref == got
    return ref == got


def constant_problem(ref, got):
    if "value" in ref:
        if not same_value(ref["value"], got.get("value")):
            return "value is %r, not %r" % (got.get("value", "?"), ref["value"])
    elif ref.get("type") not in (None, got["type"]):
        return "is of type %s, not %s" % (got["type"], ref["type"])
    return None


def all_problem(names, module):
    exported = getattr(module, "__all__", None)
    if exported is None:
        exported = [n for n in vars(module) if not n.startswith("_")]
    lacking = [n for n in names if n not in exported]
    if lacking:
        more = "" if len(lacking) <= 5 else " and %d more" % (len(lacking) - 5)
        return "lacks " + ", ".join(lacking[:5]) + more
    return None


def main(argv=None):
    parser = argparse.ArgumentParser(description="Compare an implementation with a recorded public API surface.")
    parser.add_argument("surface", metavar="SURFACE.json")
    parser.add_argument(
        "--as",
        dest="mapping",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="import NEW wherever the surface says OLD (a top-level package or a dotted prefix)",
    )
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="M",
        help="check only this module; may be a pattern (pkg.sub.*); may be given again",
    )
    parser.add_argument("--missing", action="store_true", help="list each shortfall")
    args = parser.parse_args(argv)
    mapping = []
    for text in args.mapping:
        old, sep, new = text.partition("=")
        if not sep or not old or not new:
            parser.error("--as wants OLD=NEW, not %r" % text)
        mapping.append((old, new))
    mapping.sort(key=lambda m: -len(m[0]))
    try:
        with open(args.surface, encoding="utf-8") as f:
            surface = json.load(f)
        surface["modules"], surface["package"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        parser.error("cannot read %s: %s" % (args.surface, exc))
    # The script's own folder is no part of what is tested.
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0] or ".") == here:
        sys.path.pop(0)
    warnings.simplefilter("ignore")

    checker = Checker(surface, mapping)
    names = checker.run(args.module)
    if not names:
        parser.error("no module of the surface matches %s" % ", ".join(args.module))

    width = max(len(n) for n in names)
    print("%-*s  %8s %8s %10s" % (width, "module", "matched", "total", "unverified"))
    for name, matched, total, unverified, note in checker.rows:
        print("%-*s  %8d %8d %10s%s" % (width, name, matched, total, unverified or "", "  ! " + note if note else ""))
    if args.missing and checker.shortfalls:
        print()
        for module, where, problem in checker.shortfalls:
            print("%s: %s: %s" % (module, where, problem))
    print()
    if checker.unverified:
        print(
            "%d signatures could not be read from the implementation (compiled, "
            "no text signature) and were taken as they are" % checker.unverified
        )
    share = 100.0 * checker.matched / checker.total if checker.total else 0.0
    if checker.matched < checker.total:
        share = min(share, 99.9)
    print("surface: %d of %d matched (%.1f%%)" % (checker.matched, checker.total, share))
    return 0 if checker.matched == checker.total else 1


if __name__ == "__main__":
    sys.exit(main())
