"""Check digits, vectorised: each function takes numbers of one sort and says which of them are valid."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address

import numpy as np

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECKS = np.frombuffer(b"10X98765432", dtype=np.uint8)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_VIN_WEIGHTS = np.array([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2])
_TAIWAN = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # letters in the order of their numbers, from 10 on


def _bytes(values: list[str], width: int) -> np.ndarray:
    return np.frombuffer("".join(values).encode("ascii"), dtype=np.uint8).reshape(len(values), width)


def _none() -> np.ndarray:
    return np.zeros(0, dtype=bool)


def days_exist(digits: np.ndarray) -> np.ndarray:
    """Whether the eight columns of ``digits`` (YYYYMMDD, a row a date) are days of the calendar."""
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month = digits[:, 4] * 10 + digits[:, 5]
    day = digits[:, 6] * 10 + digits[:, 7]
    known = (month >= 1) & (month <= 12)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    most = _DAYS[np.where(known, month, 0)] - ((month == 2) & ~leap)
    return np.asarray(known & (day >= 1) & (day <= most) & (year >= 1850) & (year <= 2100))


def resident(values: list[str]) -> np.ndarray:
    """GB 11643: ISO 7064 MOD 11-2 over 18 characters, and a day that exists."""
    if not values:
        return _none()
    raw = _bytes([value.upper() for value in values], 18)
    digits = raw[:, :17].astype(np.int64) - 48
    good = _CHECKS[(digits * _WEIGHTS).sum(axis=1) % 11] == raw[:, 17]
    return np.asarray(good & days_exist(digits[:, 6:14]))


def birth_day(values: list[str]) -> np.ndarray:
    """Whether the first eight digits of each value are a day that exists."""
    if not values:
        return _none()
    plain = ["".join(char for char in value if char.isdigit()) for value in values]
    good = [len(value) >= 8 for value in plain]
    digits = _bytes([value[:8].ljust(8, "0") for value in plain], 8).astype(np.int64) - 48
    return np.asarray(np.array(good, dtype=bool) & days_exist(digits))


def resident_15(values: list[str]) -> np.ndarray:
    """A day of the twentieth century that exists in the 15-digit number."""
    return birth_day([f"19{value[6:12]}" for value in values])


def uscc(values: list[str]) -> np.ndarray:
    """GB 32100: weights 3^i modulo 31 over 18 characters."""
    if not values:
        return _none()
    table = np.full(128, -1, dtype=np.int64)
    table[[ord(char) for char in _USCC]] = np.arange(31)
    raw = table[_bytes(values, 18)]
    weights = np.array([pow(3, i, 31) for i in range(17)])
    check = (31 - (raw[:, :17] * weights).sum(axis=1) % 31) % 31
    return np.asarray((raw >= 0).all(axis=1) & (check == raw[:, 17]))


def luhn(values: list[str]) -> np.ndarray:
    """ISO/IEC 7812-1: Luhn over digits of any length up to 20."""
    if not values:
        return _none()
    raw = _bytes([value.rjust(20, "0") for value in values], 20).astype(np.int64) - 48
    doubled = raw.copy()
    doubled[:, 0::2] *= 2
    doubled[doubled > 9] -= 9
    return np.asarray((doubled.sum(axis=1) % 10 == 0) & raw.any(axis=1))


def organisation(values: list[str]) -> np.ndarray:
    """GB 11714: eight characters with weights 3 7 9 10 5 8 4 2 modulo 11; a hyphen is passed over."""
    if not values:
        return _none()
    raw = _bytes([value.replace("-", "") for value in values], 9).astype(np.int64)
    worth = np.where(raw >= 65, raw - 55, raw - 48)
    check = 11 - (worth[:, :8] * np.array([3, 7, 9, 10, 5, 8, 4, 2])).sum(axis=1) % 11
    wanted = np.where(check == 10, ord("X"), np.where(check == 11, 48, check + 48))
    return np.asarray(wanted == raw[:, 8])


def licence(values: list[str]) -> np.ndarray:
    """GS 15-2006: ISO 7064 MOD 11,10 over 15 digits."""
    if not values:
        return _none()
    raw = _bytes(values, 15).astype(np.int64) - 48
    carry = np.full(len(values), 10)
    for column in range(14):
        total = (carry + raw[:, column]) % 10
        carry = np.where(total == 0, 10, total) * 2 % 11
    return np.asarray((11 - carry) % 10 == raw[:, 14])


def vin(values: list[str]) -> np.ndarray:
    """GB 16735: the ninth of 17 characters checks the others modulo 11."""
    if not values:
        return _none()
    table = np.full(128, -1, dtype=np.int64)
    table[48:58] = np.arange(10)
    for letter, worth in _VIN_VALUES.items():
        table[ord(letter)] = int(worth)
    raw = _bytes(values, 17)
    worths = table[raw]
    rest = (worths * _VIN_WEIGHTS).sum(axis=1) % 11
    check = np.where(rest == 10, ord("X"), rest + 48)
    mixed = (raw >= 65).sum(axis=1) >= 3
    return np.asarray((worths >= 0).all(axis=1) & (check == raw[:, 8]) & mixed)


def hong_kong(values: list[str]) -> np.ndarray:
    """Identity cards of Hong Kong: one or two letters, six digits, check 0-9 or A; weights 9 to 2 mod 11."""
    result = []
    for value in values:
        plain = "".join(char for char in value.upper() if char.isalnum()).rjust(9)
        worth = [36 if char == " " else int(char, 36) for char in plain[:8]]
        total = sum(a * b for a, b in zip(worth, range(9, 1, -1), strict=True))
        result.append("0123456789A"[-total % 11] == plain[8])
    return np.array(result, dtype=bool)


def taiwan(values: list[str]) -> np.ndarray:
    """Identity cards of Taiwan: a letter and nine digits; weights 1 9 8 7 6 5 4 3 2 1 1 modulo 10."""
    result = []
    for value in values:
        number = _TAIWAN.index(value[0].upper()) + 10
        digits = [number // 10, number % 10, *map(int, value[1:])]
        total = sum(a * b for a, b in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True))
        result.append(total % 10 == 0)
    return np.array(result, dtype=bool)


def passport_line(values: list[str]) -> np.ndarray:
    """ICAO 9303, second line of a passport: number and birth date each with its check digit (7 3 1)."""

    def good(field: str, check: str) -> bool:
        worth = [0 if char == "<" else int(char, 36) for char in field]
        total = sum(value * (7, 3, 1)[i % 3] for i, value in enumerate(worth))
        return str(total % 10) == check

    return np.array([good(line[:9], line[9]) and good(line[13:19], line[19]) for line in values], dtype=bool)


def address_v6(values: list[str]) -> np.ndarray:
    """Whether each is an IPv6 address of more than its own machine."""
    result = []
    for value in values:
        try:
            address = IPv6Address(value)
        except AddressValueError:
            result.append(False)
        else:
            result.append(not (address.is_loopback or address.is_unspecified))
    return np.array(result, dtype=bool)


def always(values: list[str]) -> np.ndarray:
    """No check digit: what has the form is one."""
    return np.ones(len(values), dtype=bool)
