"""What a Python package offers, read off its objects without running it: signatures, members, values, bases.

Taken as facts by `surface_check`, which compares them with a recorded surface. Standard library only.
"""

import ast
import builtins
import enum
import functools
import inspect
import re
import textwrap
import types

UNKNOWN = "?"  # default that could not be recorded: never compared
POS, ANY, KW, VARP, VARK = "pos", "any", "kw", "*", "**"
_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: POS,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: ANY,
    inspect.Parameter.KEYWORD_ONLY: KW,
    inspect.Parameter.VAR_POSITIONAL: VARP,
    inspect.Parameter.VAR_KEYWORD: VARK,
}

# The protocols that callers can rely on. __ne__, __init_subclass__ and the
# like are left out: they follow from these or are not used from outside.
DUNDERS = (
    "__len__ __iter__ __next__ __reversed__ __contains__ "
    "__getitem__ __setitem__ __delitem__ __class_getitem__ "
    "__enter__ __exit__ __aenter__ __aexit__ __aiter__ __anext__ __await__ "
    "__call__ __bool__ __eq__ __hash__ __lt__ __le__ __gt__ __ge__ "
    "__str__ __repr__ __bytes__ __int__ __float__ __index__ "
    "__add__ __radd__ __sub__ __mul__ __and__ __or__ __xor__ __invert__ __neg__ "
    "__getattr__ __reduce__"
).split()
# What a compiled class may define so that pickle and copy work on it.
PICKLING = ("__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__", "__getstate__")
# Bases that no caller can tell apart from their absence.
SKIP_BASES = {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"}


# --------------------------------------------------------------------------
# Introspection. The recorder of the surfaces uses these same functions.
# --------------------------------------------------------------------------


def default_text(value):
    """A stable text for a parameter's default."""
    if isinstance(value, enum.Enum):
        return "%s.%s" % (type(value).__name__, value.name)
    if isinstance(value, type):
        return "<class %s>" % value.__qualname__
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return "<function %s>" % value.__qualname__
    if isinstance(value, (set, frozenset)):
        inner = ", ".join(sorted(default_text(v) for v in value))
        return "%s({%s})" % (type(value).__name__, inner)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    text = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"<class \1>", text)
    text = re.sub(r"<(?:[\w.]+\.)?(\w+) object>", r"<\1 object>", text)
    return text if len(text) <= 200 else text[:197] + "..."


def params_of(func, drop_first=False):
    """[[name, kind] or [name, kind, default], ...], or None where unknown."""
    try:
        params = list(inspect.signature(func).parameters.values())
    except (ValueError, TypeError, NameError, AttributeError):
        return None
    out = [
        [p.name, _KINDS[p.kind]] + ([] if p.default is inspect.Parameter.empty else [default_text(p.default)])
        for p in params
    ]
    if drop_first and out and out[0][1] in (POS, ANY):
        out = out[1:]
    return out


def definer(cls, name):
    """The class in the MRO whose own dict has the name, or None."""
    for k in cls.__mro__:
        if name in k.__dict__:
            return k
    return None


def _is_builtin_class(k):
    return k.__module__ == "builtins"


def class_init(cls):
    """(parameters or None, awaitable): how the class is constructed."""
    init_k, new_k = definer(cls, "__init__"), definer(cls, "__new__")
    init = inspect.getattr_static(cls, "__init__")
    if inspect.iscoroutinefunction(init):
        return params_of(init, drop_first=True), True
    if isinstance(init, types.FunctionType):
        # The documented constructor, also where a decorator replaced __new__.
        return params_of(init, drop_first=True), False
    new = inspect.getattr_static(cls, "__new__")
    if isinstance(new, staticmethod):
        new = new.__func__
    if isinstance(new, types.FunctionType):
        return params_of(new, drop_first=True), False
    for k in cls.__mro__:
        if k is object:
            return [], False
        if issubclass(k, BaseException) and _is_builtin_class(k) and k in (init_k, new_k):
            return [["args", VARP]], False
        if k in (init_k, new_k):
            break
    return params_of(cls), False


def is_async(func):
    func = inspect.unwrap(func) if callable(func) else func
    return inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)


def simple(value):
    """Is the value one that is recorded and compared as such?"""
    return value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, enum.Enum)


def sentence(text):
    return isinstance(text, str) and (len(text) > 80 or text.count(" ") > 2)


def constant_facts(value):
    facts = {"kind": "constant", "type": type(value).__name__}
    if not sentence(value):  # prose is not recorded
        facts["value"] = value
    return facts


def type_name(value):
    t = type(value)
    return t.__qualname__ if t.__module__ == "builtins" else "%s.%s" % (t.__module__, t.__qualname__)


def callable_facts(kind, func, drop_first):
    facts = {"kind": kind}
    params = params_of(func, drop_first)
    if params is not None:
        facts["sig"] = params
    if is_async(func):
        facts["async"] = True
    return facts


def member_facts(cls, name):
    """Facts about one attribute of a class, found without running it."""
    raw = inspect.getattr_static(cls, name)
    if isinstance(raw, staticmethod):
        return callable_facts("staticmethod", raw.__func__, False)
    if isinstance(raw, classmethod):
        return callable_facts("classmethod", raw.__func__, True)
    if isinstance(raw, types.ClassMethodDescriptorType):
        return callable_facts("classmethod", raw, True)
    if isinstance(raw, property):
        return {"kind": "property", "set": raw.fset is not None}
    if isinstance(raw, functools.cached_property):
        return {"kind": "property", "set": True}
    if isinstance(raw, types.FunctionType):
        return callable_facts("method", raw, True)
    if isinstance(raw, (types.MethodDescriptorType, types.WrapperDescriptorType)):
        return callable_facts("method", raw, True)
    if isinstance(raw, types.BuiltinFunctionType):
        return callable_facts("staticmethod", raw, False)
    if isinstance(raw, (types.GetSetDescriptorType, types.MemberDescriptorType)):
        return {"kind": "property"}
    if isinstance(raw, type):
        facts = {"kind": "class"}
        if issubclass(raw, enum.Enum):
            facts["enum"] = enum_values(raw)
        return facts
    if simple(raw):
        return constant_facts(raw)
    if isinstance(raw, (functools.partial, functools.partialmethod, functools.singledispatchmethod)):
        return {"kind": "method"}
    if hasattr(type(raw), "__get__"):
        # A foreign descriptor: a method if what it gives is callable.
        try:
            got = getattr(cls, name)
        except Exception:
            return {"kind": "property"}
        if callable(got) and not isinstance(got, type(raw)):
            return {"kind": "method"}
        return {"kind": "method"} if callable(raw) else {"kind": "property"}
    return {"kind": "data", "type": type_name(raw)}


def enum_values(cls):
    return {n: (m.value if simple(m.value) else default_text(m.value)) for n, m in sorted(cls.__members__.items())}


def proto_facts(cls):
    """Name and field numbers of a generated protocol buffers message class."""
    d = getattr(cls, "DESCRIPTOR", None)
    try:
        return {"name": d.full_name, "fields": {f.name: f.number for f in d.fields}}
    except AttributeError:
        return None


def dunder_definer(cls, name):
    """The class that gives the dunder, or None where only object's is there."""
    k = definer(cls, name)
    if k is None or k is object or getattr(cls, name, None) is None:
        return None
    if k.__module__ in ("typing", "abc", "enum") and name != "__class_getitem__":
        return None
    return k


def supports(cls, name):
    k = dunder_definer(cls, name)
    if k is not None:
        return True
    if name in ("__str__", "__repr__"):
        # One can stand in for the other, as with object's own __str__.
        other = "__repr__" if name == "__str__" else "__str__"
        return name == "__str__" and dunder_definer(cls, other) is not None
    if name == "__bool__":
        return dunder_definer(cls, "__len__") is not None
    if name == "__reduce__":
        return any(definer(cls, n) is not object for n in PICKLING if definer(cls, n)) or any(
            isinstance(v, types.FunctionType) for v in vars(cls).values()
        )
    return isinstance(cls, enum.EnumMeta) and name in ("__eq__", "__hash__", "__str__", "__repr__", "__reduce__")


def unhashable(cls):
    return getattr(cls, "__hash__", None) is None


@functools.lru_cache(maxsize=None)
def own_instance_attributes(cls):
    """Names that the class's own source assigns on self."""
    try:
        names = set(inspect.get_annotations(cls))
    except Exception:
        names = set(cls.__dict__.get("__annotations__") or ())
    slots = cls.__dict__.get("__slots__", ())
    names.update([slots] if isinstance(slots, str) else slots)
    names.update(getattr(cls, "__dataclass_fields__", ()))
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return frozenset(names)
    body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
    for func in body:
        if not isinstance(func, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if any(isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in func.decorator_list):
            continue
        args = func.args.posonlyargs + func.args.args
        if not args:
            continue
        me = args[0].arg
        for node in ast.walk(func):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == me
            ):
                names.add(node.attr)
    return frozenset(names)


def instance_attributes(cls):
    names = set()
    for k in cls.__mro__:
        if k is not object and k.__module__ not in ("builtins", "typing", "abc", "enum"):
            names |= own_instance_attributes(k)
    return names
