use phonenumber::metadata::Descriptor;

use super::*;

fn code(text: &str) -> CountryCode {
    CountryCode::parse(text).expect(text)
}

fn e164(country_code: &str, text: &str) -> Result<String, InvalidPhone> {
    Phone::parse(&code(country_code), text).map(|phone| phone.e164)
}

#[test]
fn every_usual_way_of_writing_is_one_number() {
    for text in [
        "2025550123",
        "(202) 555-0123",
        "202.555.0123",
        " 202 555 0123 ",
        "1 202 555 0123",
        "+1 202 555 0123",
        "+1-202-555-0123",
        "+1 (202) 555\u{2011}0123",
        "202\u{a0}555\u{a0}0123",
        "011 1 202 555 0123",
        "00 1 202 555 0123",
        "tel:+1-202-555-0123",
        "TEL: 202 555 0123",
        "\u{200e}+1 202 555 0123\u{200f}",
        "\u{202a}+12025550123\u{202c}",
        "\u{feff}202\u{200b}555\u{2060}0123",
        "2025550123\u{202e}",
        "\u{ff0b}\u{ff11}\u{ff08}\u{ff12}\u{ff10}\u{ff12}\u{ff09}\u{ff15}\u{ff15}\u{ff15}\u{3000}\u{ff10}\u{ff11}\u{ff12}\u{ff13}",
        "\u{662}\u{660}\u{662} \u{665}\u{665}\u{665} \u{660}\u{661}\u{662}\u{663}",
        "202\u{2013}555\u{2014}0123",
        "202\u{2212}555\u{30fc}0123",
        "202\u{ad}5550123",
        "\t202\t555\t0123\r\n",
        "[202] 555/0123",
    ] {
        assert_eq!(e164("1", text).as_deref(), Ok("+12025550123"), "{text}");
    }
}

#[test]
fn the_trunk_prefix_is_dropped_where_the_plan_drops_it() {
    for (country, text, expected) in [
        ("44", "07400 123456", "+447400123456"),
        ("44", "+44 (0)7400 123456", "+447400123456"),
        ("44", "447400123456", "+447400123456"),
        ("49", "0151 23456789", "+4915123456789"),
        ("7", "8 912 345-67-89", "+79123456789"),
        ("7", "800 555-35-35", "+78005553535"),
        ("39", "06 1234 5678", "+390612345678"),
        ("33", "06 12 34 56 78", "+33612345678"),
        ("353", "085 012 3456", "+353850123456"),
        ("91", "98765 43210", "+919876543210"),
        ("81", "090-1234-5678", "+819012345678"),
    ] {
        assert_eq!(e164(country, text).as_deref(), Ok(expected), "+{country} {text}");
    }
}

#[test]
fn numbers_set_aside_for_fiction_are_accepted() {
    for (country, text) in [
        ("1", "202 555 0199"),
        ("1", "555 555 0100"),
        ("1", "405-342-5699"),
        ("44", "07700 900123"),
        ("44", "020 7946 0018"),
        ("61", "0491 570 156"),
        ("33", "01 99 00 12 34"),
    ] {
        assert!(e164(country, text).is_ok(), "+{country} {text}");
    }
}

#[test]
fn a_number_that_charges_whoever_calls_it_is_refused() {
    for (country, text) in
        [("1", "900 555 1234"), ("44", "909 879 0000"), ("49", "900 1123456"), ("33", "0899 12 34 56")]
    {
        assert_eq!(e164(country, text), Err(InvalidPhone::ChargesCallers), "+{country} {text}");
    }
}

#[test]
fn an_international_number_must_agree_with_the_calling_code() {
    for (country, text) in [("1", "+44 7400 123456"), ("44", "+1 202 555 0123"), ("1", "011 44 7400 123456")]
    {
        assert_eq!(e164(country, text), Err(InvalidPhone::OtherCountry), "+{country} {text}");
    }
}

#[test]
fn what_is_no_number_of_the_country_is_refused() {
    for (country, text) in [
        ("1", ""),
        ("1", "+"),
        ("1", "+1"),
        ("1", "0"),
        ("1", "555 0123"),
        ("1", "202 555 012"),
        ("1", "202 555 01234"),
        ("1", "1234567890"),
        ("1", "1-800-FLOWERS"),
        ("1", "202 555 0123 x4"),
        ("1", "2025550123;ext=4"),
        ("1", "tel:+12025550123;ext=4"),
        ("1", "sms:2025550123"),
        ("1", "202+5550123"),
        ("1", "++12025550123"),
        ("1", "\u{2461}025550123"),
        ("1", "2025550123\n2025550124"),
        ("44", "12345"),
        ("44", "+44 00000000000"),
    ] {
        assert_eq!(e164(country, text), Err(InvalidPhone::Malformed), "+{country} {text:?}");
    }
}

#[test]
fn no_input_makes_it_panic() {
    let pieces = [
        "",
        "+",
        "0",
        "00",
        "011",
        "1",
        "44",
        "8",
        "9",
        "999999999999",
        "-",
        "(",
        ";ext=",
        ";phone-context=",
        "tel:",
        "+dwPAA",
        ".",
        "#",
        "\u{ff10}",
        "é",
        "\u{0}",
        "\u{202e}",
        "123",
        " ",
    ];
    for country in ["1", "7", "39", "44", "55", "54", "52", "800", "883", "979", "262", "599"] {
        let country = code(country);
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let text = format!("{first}{second}{third}");
                    if let Ok(phone) = Phone::parse(&country, &text) {
                        assert!(phone.e164().len() <= 16, "{text:?}");
                        assert_eq!(Phone::parse(&country, phone.e164()).as_ref(), Ok(&phone), "{text:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_number_read_again_is_itself_for_every_calling_code() {
    for number in 1..=999_u16 {
        let Ok(country) = CountryCode::parse(&number.to_string()) else {
            continue;
        };
        for plan in country.plans() {
            let example = plan.descriptors().mobile().and_then(Descriptor::example);
            let Some(example) = example else { continue };
            let phone =
                Phone::parse(&country, example).unwrap_or_else(|error| panic!("{number} {example}: {error}"));
            assert_eq!(phone.national_digits(), example);
            assert_eq!(Phone::from_e164(phone.e164()).as_ref(), Some(&phone));
            assert_eq!(Phone::parse(&country, phone.e164()), Ok(phone));
        }
    }
}

#[test]
fn a_number_in_use_wins_over_one_of_the_right_length() {
    for (country, text, expected) in [
        ("91", "91 98765 43210", "+919876543210"),
        ("375", "8 029 123 45 67", "+375291234567"),
        ("55", "0055 11 91234-5678", "+5511912345678"),
        ("49", "49 151 23456789", "+4915123456789"),
        ("34", "+34 (0)612 345 678", "+34612345678"),
        ("56", "09 6123 4567", "+56961234567"),
    ] {
        assert_eq!(e164(country, text).as_deref(), Ok(expected), "+{country} {text}");
    }
}

#[test]
fn a_number_that_begins_like_its_calling_code_is_not_cut() {
    for (country, text, expected) in [
        ("91", "91987 65432", "+919198765432"),
        ("39", "393 123 4567", "+393931234567"),
        ("39", "0331 123456", "+390331123456"),
        ("55", "55 91234-5678", "+5555912345678"),
        ("47", "47 12 34 56", "+4747123456"),
        ("45", "45 12 34 56", "+4545123456"),
        ("7", "771 234 56 78", "+77712345678"),
        ("65", "6581 2345", "+6565812345"),
        ("49", "0491 5123456", "+494915123456"),
    ] {
        assert_eq!(e164(country, text).as_deref(), Ok(expected), "+{country} {text}");
    }
}

#[test]
fn mexico_has_lost_its_prefixes() {
    for text in [
        "55 1234 5678",
        "1 55 1234 5678",
        "01 55 1234 5678",
        "044 55 1234 5678",
        "045 55 1234 5678",
        "52 1 55 1234 5678",
        "+52 1 55 1234 5678",
        "+52 044 55 1234 5678",
        "00 52 55 1234 5678",
    ] {
        assert_eq!(e164("52", text).as_deref(), Ok("+525512345678"), "{text}");
    }
}

#[test]
fn argentina_writes_nine_for_what_is_typed_with_nine_or_fifteen() {
    for text in [
        "11 15 2345-6789",
        "011 15 2345-6789",
        "9 11 2345-6789",
        "0 9 11 2345-6789",
        "+54 9 11 2345-6789",
        "+54 11 15 2345-6789",
        "+54 9 11 15 2345-6789",
        "+54 9 011 2345-6789",
        "54 9 11 2345-6789",
    ] {
        assert_eq!(e164("54", text).as_deref(), Ok("+5491123456789"), "{text}");
    }
    assert_eq!(e164("54", "011 2345-6789").as_deref(), Ok("+541123456789"));
}

#[test]
fn a_range_that_the_plan_does_not_know_is_accepted() {
    for (country, text, expected) in
        [("254", "0812 345678", "+254812345678"), ("44", "07700 900123", "+447700900123")]
    {
        assert_eq!(e164(country, text).as_deref(), Ok(expected), "+{country} {text}");
    }
}

#[test]
fn long_input_is_refused_unread() {
    let blanks = |count| format!("2025550123{}", " ".repeat(count));
    assert!(e164("1", &blanks(150)).is_ok());
    assert_eq!(e164("1", &blanks(151)), Err(InvalidPhone::Malformed));
    assert_eq!(e164("1", &"2".repeat(1 << 20)), Err(InvalidPhone::Malformed));
}

#[test]
fn only_the_last_two_digits_are_shown() {
    assert_eq!(Phone::parse(&code("1"), "202 555 0142").unwrap().masked(), "•••• 42");
    assert_eq!(Phone::from_stored("1".to_owned(), "+1".to_owned()).masked(), "•••• ");
}

#[test]
fn a_stored_number_has_all_its_parts() {
    let phone = Phone::from_stored("39".to_owned(), "+390612345678".to_owned());
    assert_eq!(phone.national_digits(), "0612345678");
    assert_eq!(phone.country_code().digits(), "39");
}

#[test]
fn what_is_kept_without_its_calling_code_must_begin_with_one() {
    for wrong in ["", "+", "12025550123", "+0", "+999123456"] {
        assert_eq!(Phone::from_e164(wrong), None, "{wrong}");
    }
}

#[test]
fn debug_does_not_show_the_number() {
    let phone = Phone::parse(&code("1"), "202 555 0142").unwrap();
    assert_eq!(format!("{phone:?} {:?}", phone.country_code()), "Phone(…) CountryCode(…)");
}
