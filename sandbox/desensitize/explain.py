"""What a recipe does, in words: column by column, with what its transforms guarantee. No data is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.desensitize.recipe import Product, Recipe, Rules, plan
from sandbox.desensitize.required import class_of, required_of
from sandbox.desensitize.transforms import TRANSFORMS

# guarantee -> how it is told; a column has it if all of its transforms have, the first two if any has
_WORDS: dict[str, tuple[str, str]] = {
    "desensitises": ("已脱敏", "desensitised"),
    "reversible_with_key": ("持密钥者可还原或枚举", "can be led back by who has the key"),
    "keeps_joins": ("同值仍同值，可关联", "equal stays equal, so it joins"),
    "keeps_order": ("次序不变", "keeps order"),
}
_ANY = ("desensitises", "reversible_with_key")


def guarantees(transforms: Sequence[str]) -> dict[str, bool]:
    """What holds of a column that went through ``transforms``; one that went through none is as it was."""
    rows = [TRANSFORMS[name] for name in transforms]
    return {
        name: any(getattr(row, name) for row in rows)
        if name in _ANY
        else all(getattr(row, name) for row in rows)
        for name in _WORDS
    }


def guaranteed(transforms: Sequence[str], zh: bool) -> str:
    """``guarantees`` in words, Chinese or English."""
    held = [_WORDS[name][0 if zh else 1] for name, holds in guarantees(transforms).items() if holds]
    return ("；" if zh else "; ").join(held) or ("无" if zh else "none")


def _required(column: Product, field: Mapping[str, Any], rules: Rules | None, zh: bool) -> str:
    asked = required_of(field, rules.required) if rules and rules.required is not None else ()
    if not asked:
        return ""
    name, level = class_of(field), field.get("level")
    if zh:
        return f"  政策：{name} 类{level or '未定'}级须经 {'、'.join(asked)} 之一"
    return f"  policy: {name}, level {level or 'ungraded'}, one of {', '.join(asked)}"


def explained(
    recipe: Recipe, fields: Sequence[Mapping[str, Any]], rules: Rules | None, lang: str
) -> list[str]:
    """Lines in ``lang`` ("zh" or "en"). Raises what ``plan`` raises."""
    zh = lang.startswith("zh")
    columns = plan(recipe, fields, rules)
    known = {str(field["name"]): field for field in fields}
    lines = [
        f"方案 {recipe.name} 版本 {recipe.version}：{len(fields)} 列进，{len(columns)} 列出。"
        if zh
        else f"Recipe {recipe.name}, version {recipe.version}: {len(fields)} columns in, {len(columns)} out."
    ]
    for number, step in enumerate(recipe.steps, 1):
        sentence = step.row.explain(step.parameters)[0 if zh else 1]
        title = step.row.title_zh if zh else step.row.title_en
        columns_told = ", ".join(step.sources)
        if step.targets:
            columns_told += f" → {', '.join(step.targets)}"
        form = "{}. {}（{}）：{}" if zh else "{}. {} ({}): {}"
        lines.append(form.format(number, columns_told, title, sentence))
    lines.append("产品各列：" if zh else "Columns of the product:")
    for column in columns:
        made = column.name if column.name == column.source else f"{column.name} ← {column.source}"
        untouched = ("原样保留", "as it is")[0 if zh else 1]
        told = guaranteed(column.transforms, zh) if column.transforms else untouched
        lines.append(f"- {made}: {told}")
        if asked := _required(column, known[column.source], rules, zh):
            lines.append(asked)
    gone = [name for name in known if name not in {column.source for column in columns}]
    if gone:
        lines.append(("不进入产品：" if zh else "Not in the product: ") + ", ".join(gone))
    return lines
