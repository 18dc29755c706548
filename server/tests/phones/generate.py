"""Prints spellings.json: how people write phone numbers, with the values of Python's `phonenumbers`.

    python3 -m venv venv && venv/bin/pip install phonenumbers==9.0.43
    venv/bin/python server/tests/phones/generate.py > server/tests/phones/spellings.json

`phonenumbers` is another implementation than the server's crate. Where the server decides otherwise on purpose, the row
has both values and the reason (`DIFFERENT`).
"""

import json
from importlib.metadata import version

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

PINNED = "9.0.43"

# Each of these is written in five ways, from the example of a mobile number that the metadata have.
COUNTRIES = (
    "AE AR AT AU AZ BD BE BG BH BO BR BY CA CH CL CN CO CR CY CZ DE DK DO DZ EC EE EG ES ET FI FR GB GE GH GR GT HK HR HU "
    "ID IE IL IN IQ IR IS IT JM JO JP KE KH KR KW KZ LB LK LT LU LV MA MD MX MY NG NL NO NP NZ OM PA PE PH PK PL PT PY QA RO "
    "RS RU SA SE SG SI SK TH TN TR TW TZ UA UG US UY UZ VE VN ZA"
).split()

# Calling code and spelling: trunk prefixes, carriers, former prefixes, numbers that begin like their calling code.
WRITTEN = [
    (91, "91 98765 43210"), (91, "91987 65432"), (91, "9198765432"), (91, "098765 43210"), (91, "+91 098765 43210"),
    (91, "0091 98765 43210"),
    (375, "8 029 123 45 67"), (375, "8029 1234567"), (375, "8 29 123 45 67"), (375, "029 123 45 67"),
    (375, "+375 (029) 123-45-67"), (375, "375 29 123 45 67"), (375, "810 375 29 123 45 67"),
    (52, "55 1234 5678"), (52, "1 55 1234 5678"), (52, "01 55 1234 5678"), (52, "044 55 1234 5678"),
    (52, "045 55 1234 5678"), (52, "+52 1 55 1234 5678"), (52, "52 1 55 1234 5678"), (52, "52 55 1234 5678"),
    (54, "11 15 2345-6789"), (54, "011 15 2345-6789"), (54, "+54 9 11 2345 6789"), (54, "9 11 2345 6789"),
    (54, "0 9 11 2345 6789"), (54, "+54 11 15 2345 6789"), (54, "+54 9 11 15 2345 6789"), (54, "11 2345-6789"),
    (54, "011 2345-6789"), (54, "0351 15 234-5678"), (54, "54 9 351 234-5678"), (54, "9 011 2345 6789"),
    (39, "06 1234 5678"), (39, "+39 06 1234 5678"), (39, "39 06 1234 5678"), (39, "333 123 4567"), (39, "393 123 4567"),
    (39, "39 333 123 4567"), (39, "39 393 123 4567"), (39, "0331 123456"), (39, "+39 0331 123456"),
    (55, "011 91234-5678"), (55, "0 15 11 91234-5678"), (55, "0 21 11 91234-5678"), (55, "55 11 91234-5678"),
    (55, "55 91234-5678"), (55, "(55) 91234-5678"), (55, "0055 11 91234-5678"), (55, "00 15 55 11 91234-5678"),
    (55, "0 31 21 3123-4567"), (55, "90 11 91234-5678"),
    (7, "8 912 345-67-89"), (7, "8 (912) 345-67-89"), (7, "7 912 345-67-89"), (7, "912 345-67-89"),
    (7, "8 701 234 5678"), (7, "771 234 56 78"), (7, "7 771 234 56 78"), (7, "810 7 912 345-67-89"), (7, "8 800 555-35-35"),
    (7, "800 555-35-35"), (7, "+7 (8) 912 345-67-89"),
    (1, "(202) 555-0123"), (1, "1 202 555 0123"), (1, "011 1 202 555 0123"), (1, "+1 (1) 202 555 0123"),
    (1, "1-876-210-1234"), (1, "204 234 5678"), (1, "1234567890"), (1, "555 0123"),
    (44, "07400 123456"), (44, "+44 (0)7400 123456"), (44, "447400123456"), (44, "0044 7400 123456"), (44, "44 0 7400 123456"),
    (44, "07700 900123"), (44, "020 7946 0018"), (44, "07797 123456"),
    (49, "0151 23456789"), (49, "49 151 23456789"), (49, "0049 151 23456789"), (49, "4915123456789"), (49, "+49 (0)151 23456789"),
    (49, "030 123456"), (49, "49 30 1234567"), (49, "0491 5123456"),
    (36, "06 20 123 4567"), (36, "20 123 4567"), (36, "36 20 123 4567"), (36, "06 1 234 5678"), (36, "+36 06 20 123 4567"),
    (370, "8 612 34567"), (370, "0 612 34567"), (370, "612 34567"), (370, "370 612 34567"),
    (45, "45 12 34 56"), (45, "45 20 12 34 56"), (47, "47 12 34 56"), (47, "47 47 12 34 56"), (65, "6581 2345"),
    (65, "65 8123 4567"), (86, "138 0013 8000"), (86, "86 138 0013 8000"), (86, "010 1234 5678"), (82, "010-1234-5678"),
    (82, "82 10 1234 5678"), (81, "090-1234-5678"), (81, "81 90 1234 5678"), (81, "010 81 90 1234 5678"),
    (62, "0812-3456-7890"), (62, "62 812 3456 7890"), (62, "6281234567890"), (43, "0664 1234567"), (43, "43 664 1234567"),
    (43, "4366412345678"), (90, "0 532 123 45 67"), (90, "90 532 123 45 67"), (34, "34 612 345 678"), (34, "612 34 56 78"),
    (34, "+34 (0)612 345 678"), (30, "30 691 234 5678"), (30, "691 234 5678"), (66, "081 234 5678"), (66, "66 81 234 5678"),
    (60, "012-345 6789"), (60, "60 12-345 6789"), (27, "082 123 4567"), (27, "27 82 123 4567"), (20, "010 1234 5678"),
    (20, "20 10 1234 5678"), (234, "0803 123 4567"), (234, "234 803 123 4567"), (229, "01 97 12 34 56"),
    (229, "97 12 34 56"), (225, "07 12 34 56 78"), (57, "321 1234567"), (57, "03 321 1234567"), (57, "57 321 1234567"),
    (56, "9 6123 4567"), (56, "09 6123 4567"), (56, "56 9 6123 4567"), (380, "050 123 4567"), (380, "380 50 123 4567"),
    (380, "8 050 123 4567"), (993, "8 66 123456"), (996, "0700 123 456"), (998, "90 123 45 67"), (995, "0 555 12 34 56"),
    (353, "085 012 3456"), (353, "353 85 012 3456"), (64, "021 123 4567"), (64, "64 21 123 4567"), (61, "0412 345 678"),
    (61, "61 412 345 678"), (61, "0011 61 412 345 678"), (33, "06 12 34 56 78"), (33, "33 6 12 34 56 78"),
    (33, "+33 (0)6 12 34 56 78"), (41, "079 123 45 67"), (378, "0549 886377"), (972, "050-234-5678"),
    (254, "0712 345678"), (254, "0812 345678"), (1, "+44 7400 123456"), (1, "011 44 7400 123456"), (44, "+1 202 555 0123"),
]

EXIT_CODE = "the exit code is another there, but 00 is written everywhere, and the country's own calling code follows"
MOBILE = "the digits are also those of a landline whose area code begins like the calling code; a mobile number is likelier"
OLD_MEXICAN = "Mexico dialled these before mobile numbers until 2019; the metadata forgot them"
BOTH_ARGENTINE = "9 and 15 (or the trunk prefix) together, which people write who were told to put a 9 there"
FOREIGN_ZERO = "the plan has no trunk prefix, the digits are no number of it, and without the zero they are one"
NO_NUMBER = "no number has such a beginning: it lacks an area code, or digits after the trunk prefix"

# What the server reads otherwise, and why. No row differs by the versions of the metadata alone.
DIFFERENT = {
    (49, "4915123456789"): ("+4915123456789", MOBILE),
    (49, "49 151 23456789"): ("+4915123456789", MOBILE),
    (62, "62812345678"): ("+62812345678", MOBILE),
    **{
        (52, typed): ("+525512345678", OLD_MEXICAN)
        for typed in (
            "1 55 1234 5678", "01 55 1234 5678", "044 55 1234 5678", "045 55 1234 5678", "+52 1 55 1234 5678",
            "52 1 55 1234 5678",
        )
    },
    (54, "+54 9 11 15 2345 6789"): ("+5491123456789", BOTH_ARGENTINE),
    (54, "9 011 2345 6789"): ("+5491123456789", BOTH_ARGENTINE),
    (55, "0055 11 91234-5678"): ("+5511912345678", EXIT_CODE),
    (34, "+34 (0)612 345 678"): ("+34612345678", FOREIGN_ZERO),
    (56, "09 6123 4567"): ("+56961234567", FOREIGN_ZERO),
    (1, "1234567890"): (None, NO_NUMBER),
    (1, "555 0123"): (None, NO_NUMBER),
}


def read(code: int, typed: str) -> str | None:
    """The value in E.164, or None where the number is of another country or has an impossible length."""
    region = phonenumbers.region_code_for_country_code(code)
    try:
        number = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException:
        return None
    if number.country_code != code or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def spellings():
    for region in COUNTRIES:
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        code = number.country_code
        national = phonenumbers.national_significant_number(number)
        yield code, phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        yield code, phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        yield code, national
        yield code, f"{code}{national}"
        yield code, f"00{code} {national}"
    yield from WRITTEN


def row(code: int, typed: str) -> dict:
    row = {"callingCode": str(code), "typed": typed, "phonenumbers": read(code, typed)}
    if (code, typed) in DIFFERENT:
        row["difference"] = difference(*DIFFERENT[code, typed])
    elif typed.startswith(f"00{code} ") and row["phonenumbers"] != (number := "+" + typed[2:].replace(" ", "")):
        row["difference"] = difference(number, EXIT_CODE)
    return row


def difference(value: str | None, reason: str) -> dict:
    return {"countersign": value, "reason": reason}


assert version("phonenumbers") == PINNED, f"install phonenumbers=={PINNED}"
rows = [row(*spelling) for spelling in dict.fromkeys(spellings())]
print('{\n  "made by": "server/tests/phones/generate.py",\n  "with": "phonenumbers ' + PINNED + ' for Python",\n  "rows": [')
print(",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows))
print("  ]\n}")
