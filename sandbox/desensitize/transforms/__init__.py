"""The registry: name -> transform. A new transform is one file here and one line below."""

from sandbox.desensitize.transforms import (
    convert,
    date_shift,
    fpe,
    generalise,
    geo,
    limit,
    mask,
    microaggregate,
    noise,
    pseudonym,
    redact,
    round,
    sample,
    suppress,
    tidy,
    token,
)
from sandbox.desensitize.transforms.base import Transform

TRANSFORMS: dict[str, Transform] = {
    transform.name: transform
    for transform in (
        mask.TRANSFORM,
        generalise.TRANSFORM,
        pseudonym.TRANSFORM,
        fpe.TRANSFORM,
        token.TRANSFORM,
        suppress.TRANSFORM,
        limit.TOP_CODE,
        limit.BOTTOM_CODE,
        round.TRANSFORM,
        round.RANDOM,
        noise.TRANSFORM,
        date_shift.TRANSFORM,
        geo.TRANSFORM,
        microaggregate.TRANSFORM,
        sample.TRANSFORM,
        redact.TRANSFORM,
        tidy.TRANSFORM,
        convert.TRANSFORM,
    )
}
