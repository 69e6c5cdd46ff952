"""The registry: name -> transform. A new transform is one file here and one line below."""

from sandbox.desensitize.transforms import (
    convert,
    generalise,
    limit,
    mask,
    pseudonym,
    round,
    suppress,
    tidy,
)
from sandbox.desensitize.transforms.base import Transform

TRANSFORMS: dict[str, Transform] = {
    transform.name: transform
    for transform in (
        mask.TRANSFORM,
        generalise.TRANSFORM,
        pseudonym.TRANSFORM,
        suppress.TRANSFORM,
        limit.TOP_CODE,
        limit.BOTTOM_CODE,
        round.TRANSFORM,
        tidy.TRANSFORM,
        convert.TRANSFORM,
    )
}
