//! Numbers and times as people read them.

/// A number with its noun.
pub fn counted(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with its thousands apart, by a space that does not break.
pub fn thousands(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A change, with its sign.
pub fn signed(change: i64) -> String {
    let sign = match change {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", thousands(change.unsigned_abs()))
}

/// A share, from 0 to 1, in percent; small ones with a digit more.
#[cfg(feature = "ssr")]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Milliseconds; long ones in seconds.
#[cfg(feature = "ssr")]
pub fn milliseconds(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{:.1} s", value / 1_000.0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of time below ten seconds")]
    let whole = value.round() as u64;
    format!("{} ms", thousands(whole))
}

/// A length of time in the largest unit that fits, rounded down: what took 119 minutes did not take two hours.
pub fn duration(seconds: i64) -> Option<String> {
    const UNITS: [(i64, &str, &str); 5] = [
        (31_557_600, "year", "years"),
        (2_629_800, "month", "months"),
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
    ];
    UNITS.into_iter().find(|(length, ..)| seconds >= *length).map(|(length, one, many)| {
        let number = seconds / length;
        format!("{number} {}", if number == 1 { one } else { many })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0_u32), "0");
        assert_eq!(thousands(999_u32), "999");
        assert_eq!(thousands(1_000_u32), "1\u{202f}000");
        assert_eq!(thousands(1_048_576_u32), "1\u{202f}048\u{202f}576");
        assert_eq!((signed(0), signed(1_200), signed(-7)), ("±0".into(), "+1\u{202f}200".into(), "−7".into()));
        assert_eq!(
            (counted(1_u32, "agent", "agents"), counted(2_u32, "agent", "agents")),
            ("1 agent".into(), "2 agents".into())
        );
    }
}
