"""Completions for bash, zsh and fish, made of the parser: what it knows, they know."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .arguments import make_parser

__all__ = ["Option", "completion", "options_in"]

_URLS = ("ws://", "wss://")
_FILES = ("FILE", "PATH")  # metavars


class Option(NamedTuple):
    """One option as a shell has to know it: `value` is what it takes, "" for nothing."""

    names: tuple[str, ...]
    value: str
    optional: bool  # the value may be left out
    words: tuple[str, ...]  # all that the value can be, if that is known
    repeated: bool
    group: str
    help: str

    @property
    def takes_file(self) -> bool:
        """Whether the value is the name of a file."""
        return self.value in _FILES


def options_in(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """Every option, in the order of the help."""
    for group in parser._action_groups:
        for action in group._group_actions:
            if not action.option_strings or action.help == argparse.SUPPRESS:
                continue
            value = ""
            if action.nargs != 0:
                value = str(action.metavar or action.dest.upper().replace("_", "-")).strip("'")
                value += " ..." if action.nargs == "*" else ""
            yield Option(
                tuple(sorted(action.option_strings, key=len)),
                value,
                action.nargs == "?",
                tuple(map(str, action.choices or ())),
                isinstance(action, argparse._AppendAction),
                group.title or "",
                (action.help or "") % {**vars(action), "prog": parser.prog},
            )


def completion(shell: str) -> str:
    """The script for this shell: "bash", "zsh" or "fish"."""
    options = list(options_in(make_parser()))
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](options)


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _names(options: Iterable[Option]) -> list[str]:
    return [name for option in options for name in option.names]


# --- bash -----------------------------------------------------------------------------------------


def _bash(options: list[Option]) -> str:
    demanding = [option for option in options if option.value and not option.optional]
    files = [option for option in demanding if option.takes_file]
    words = [option for option in demanding if option.words]
    others = [option for option in demanding if option not in files and option not in words]
    return _lines(
        "# Completion of wsdump for bash, made by `wsdump --completion bash`.",
        '# To use it: eval "$(wsdump --completion bash)" in ~/.bashrc',
        "_wsdump() {",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
        "    local word words kind=-W",
        "    # For readline --option=value are three words.",
        "    if [[ $cur == = ]]; then",
        "        cur=",
        "    elif [[ $prev == = && COMP_CWORD -gt 1 ]]; then",
        "        prev=${COMP_WORDS[COMP_CWORD-2]}",
        "    fi",
        "    COMPREPLY=()",
        "    case $prev in",
        f"        {'|'.join(_names(files))})",
        "            compopt -o filenames 2>/dev/null",
        "            kind=-f words= ;;",
        *(
            f"        {'|'.join(option.names)}) words='{' '.join(option.words)}' ;;"
            for option in words
        ),
        f"        {'|'.join(_names(others))})",
        "            return ;;  # only the user knows",
        "        *)",
        "            case $cur in",
        f"                -*) words='{' '.join(_names(options))}' ;;",
        f"                *) words='{' '.join(_URLS)}'",
        "                    compopt -o nospace 2>/dev/null ;;",
        "            esac ;;",
        "    esac",
        "    while IFS= read -r word; do",
        '        COMPREPLY+=("$word")',
        "    done < <(if [[ $kind == -f ]]; then",
        '        compgen -f -- "$cur"',
        "    else",
        '        compgen -W "$words" -- "$cur"',
        "    fi)",
        "}",
        "complete -F _wsdump wsdump",
    )


# --- zsh ------------------------------------------------------------------------------------------


def _zsh(options: list[Option]) -> str:
    return _lines(
        "#compdef wsdump",
        "# Completion of wsdump for zsh, made by `wsdump --completion zsh`.",
        "# To use it: save it as _wsdump in a directory of $fpath, or in ~/.zshrc, after compinit:",
        '# eval "$(wsdump --completion zsh)"',
        "_wsdump_urls() {",
        f"    compadd -S '' -- {' '.join(_URLS)}",
        "}",
        "_wsdump() {",
        "    _arguments -s \\",
        *(f"        {_zsh_spec(option)} \\" for option in options),
        "        '::ws_url:_wsdump_urls'",
        "}",
        'if [[ "$funcstack[1]" == _wsdump ]]; then',
        '    _wsdump "$@"',
        "else",
        "    compdef _wsdump wsdump",
        "fi",
    )


def _zsh_spec(option: Option) -> str:
    """How `_arguments` wants it: '(-a --all)'{-a,--all}'[help]:VALUE:action'."""
    text = f"[{_in_quotes(_escaped(option.help, '[]:'))}]"
    if option.value:
        action = "_files" if option.takes_file else f"({' '.join(option.words)})"
        text += ":" * (1 + option.optional) + _in_quotes(_escaped(option.value, ":")) + ":"
        text += action if action != "()" else " "
    if len(option.names) == 1:
        return f"'{'*' if option.repeated else ''}{option.names[0]}{text}'"
    return f"'({' '.join(option.names)})'{{{','.join(option.names)}}}'{text}'"


def _escaped(text: str, marks: str) -> str:
    return "".join(f"\\{char}" if char in marks or char == "\\" else char for char in text)


def _in_quotes(text: str) -> str:
    return text.replace("'", "'\\''")


# --- fish -----------------------------------------------------------------------------------------


def _fish(options: list[Option]) -> str:
    return _lines(
        "# Completion of wsdump for fish, made by `wsdump --completion fish`.",
        "# To use it: save it as ~/.config/fish/completions/wsdump.fish",
        "complete -c wsdump -f",
        f"complete -c wsdump -a '{' '.join(_URLS)}'",
        *(_fish_line(option) for option in options),
    )


def _fish_line(option: Option) -> str:
    parts = ["complete -c wsdump"]
    for name in option.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.takes_file:
        parts.append("-r -F")
    elif option.value and not option.optional:
        parts.append("-x")
    if option.words:
        parts.append(f"-a '{' '.join(option.words)}'")
    parts.append("-d '" + _escaped(option.help, "'") + "'")
    return " ".join(parts)
