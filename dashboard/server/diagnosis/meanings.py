"""What a call means in its file: told by imports, and by what a name was made with.

A method's name alone tells nothing: `", ".join(rows)` waits for no thread. No I/O.
"""

from __future__ import annotations

import ast
import builtins

#: What the loop is held with, told by the full name of what is called. One that
#: ends with a dot fits all of a module.
SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sleep", ("time.sleep",)),
    (
        "HTTP client",
        (
            "requests.get",
            "requests.post",
            "requests.put",
            "requests.patch",
            "requests.delete",
            "requests.head",
            "requests.request",
            "urllib.request.urlopen",
            "httpx.get",
            "httpx.post",
            "httpx.put",
            "httpx.patch",
            "httpx.delete",
            "httpx.head",
            "httpx.request",
        ),
    ),
    (
        "subprocess",
        (
            "subprocess.run",
            "subprocess.call",
            "subprocess.check_call",
            "subprocess.check_output",
            "subprocess.getoutput",
            "os.system",
        ),
    ),
    ("regular expression", ("re.",)),
    (
        "database",
        ("sqlite3.connect", "psycopg.connect", "psycopg2.connect", "pymysql.connect"),
    ),
    (
        "file",
        (
            "open",
            "os.fsync",
            "shutil.copy",
            "shutil.copyfile",
            "shutil.copytree",
            "shutil.move",
            "shutil.rmtree",
            "pathlib.Path",
        ),
    ),
    ("socket", ("socket.create_connection", "socket.socket", "socket.getaddrinfo")),
    ("lock", ("threading.Lock", "threading.Thread")),
    (
        "computation",
        (
            "sum",
            "sorted",
            "min",
            "max",
            "pow",
            "json.dumps",
            "json.loads",
            "pickle.dumps",
            "pickle.loads",
            "math.",
        ),
    ),
    ("garbage collection", ("gc.collect",)),
    # In C, and without the interpreter's lock meanwhile.
    (
        "hashing or compression",
        (
            "bz2.compress",
            "bz2.decompress",
            "gzip.compress",
            "gzip.decompress",
            "hashlib.pbkdf2_hmac",
            "hashlib.scrypt",
            "lzma.compress",
            "lzma.decompress",
            "zlib.compress",
            "zlib.decompress",
        ),
    ),
)
#: Methods that last, of what a call of that kind has made.
METHODS = {
    "regular expression": {"match", "search", "fullmatch", "findall", "sub", "split"},
    "database": {"execute", "executemany", "fetchall", "fetchone", "commit", "cursor"},
    "file": {"read", "readlines", "write", "writelines", "flush", "read_text"}
    | {"write_text", "read_bytes", "write_bytes"},
    "socket": {"recv", "accept", "connect", "sendall"},
    "lock": {"acquire", "join"},
}
#: Calls that make something, and are over at once.
MAKERS = frozenset(
    {"pathlib.Path", "socket.socket", "threading.Lock", "threading.Thread"}
)
#: Names that are given to one kind of thing only.
RECEIVERS = {"cursor": "database", "connection": "database"}


class File:
    """A file's syntax tree, and what its names mean."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.called: set[str] = set()
        """Names and attributes that are called somewhere."""
        self._imported: dict[str, str] = {}
        self._made: dict[str, list[ast.expr | None]] = {}
        """What each name is bound to, wherever; None: to something unknown."""
        self._coroutines: set[str] = set()
        for node in ast.walk(tree):
            self._learn(node)

    def __repr__(self) -> str:
        return f"<File of {len(self.tree.body)} statements>"

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.Import():
                for each in node.names:
                    root = each.name.partition(".")[0]
                    self._import(
                        each.asname or root, each.name if each.asname else root
                    )
            case ast.ImportFrom():
                for each in node.names:
                    name = f"{'.' * node.level}{node.module or ''}.{each.name}"
                    self._import(each.asname or each.name, name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._bind(node.name, None)
                if isinstance(node, ast.AsyncFunctionDef):
                    self._coroutines.add(node.name)
            case ast.arg():
                self._bind(node.arg, None)
            case ast.Assign(targets=[ast.Name(id=name)]):
                self._bind(name, node.value)
            case ast.withitem(optional_vars=ast.Name(id=name)):
                self._bind(name, node.context_expr)
            case ast.Name(ctx=ast.Store()):
                # An assignment's is counted twice: once with its value.
                self._bind(node.id, None)
            case ast.Call():
                self.called.add(last_name(node))

    def _import(self, name: str, meaning: str) -> None:
        if self._imported.setdefault(name, meaning) != meaning:
            self._bind(name, None)

    def _bind(self, name: str, value: ast.expr | None) -> None:
        self._made.setdefault(name, []).append(value)

    def meaning(self, node: ast.expr) -> str:
        """Return a name with its module, as `time.sleep`; empty if that is unknown."""
        match node:
            case ast.Name(id=name):
                if name in self._made:
                    return ""
                return self._imported.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                before = self.meaning(value)
                return f"{before}.{attr}" if before else ""
        return ""

    def maker(self, node: ast.expr) -> ast.Call | None:
        """Return the call that made an object, if there is just one."""
        if isinstance(node, ast.Call):
            return node
        if isinstance(node, ast.Name) and node.id not in self._imported:
            values = self._made.get(node.id, [])
            found = [value for value in values if value is not None]
            # Each binding was counted a second time, as a name that is stored to.
            if len(found) == 1 and len(values) == 2 and isinstance(found[0], ast.Call):
                return found[0]
        return None

    def is_coroutine(self, call: ast.Call) -> bool:
        """Say whether a call only makes a coroutine, or belongs to asyncio."""
        if isinstance(call.func, ast.Name) and call.func.id in self._coroutines:
            return True
        return self.meaning(call.func).startswith(("asyncio.", "anyio."))


def last_name(call: ast.Call) -> str:
    """Return the name of the function or method that is called, or nothing."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def kind_of(call: ast.Call, file: File, depth: int = 0) -> str:
    """Say what a call holds the loop with; `call` if nothing tells."""
    name = file.meaning(call.func)
    if name in MAKERS and not depth:
        return "call"
    if name and not (name == last_name(call) and not hasattr(builtins, name)):
        for kind, signs in SIGNS:
            for sign in signs:
                if name.startswith(sign) if sign.endswith(".") else name == sign:
                    return kind
    if isinstance(call.func, ast.Attribute) and depth < 3:
        receiver = call.func.value
        maker = file.maker(receiver)
        kind = ""
        if maker is not None:
            kind = kind_of(maker, file, depth + 1)
        elif isinstance(receiver, ast.Name):
            kind = RECEIVERS.get(receiver.id, "")
        if call.func.attr in METHODS.get(kind, ()):
            return kind
    return "call"
