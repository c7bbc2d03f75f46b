//! Words that the made-up people, places and goods are put together from.

/// A country with everything that follows from it.
#[derive(Debug)]
pub(super) struct Country {
    pub name: &'static str,
    /// Sales region: EU, US or APAC.
    pub region: &'static str,
    pub currency: &'static str,
    pub dial: &'static str,
    pub cities: &'static [&'static str],
    pub streets: &'static [&'static str],
}

/// Countries of one region; customers are spread evenly over them.
#[derive(Debug)]
pub(super) struct Region {
    pub name: &'static str,
    pub countries: &'static [Country],
}

/// A kind of goods: code, and the lowest and highest list price in cents.
#[derive(Debug)]
pub(super) struct Category {
    pub code: &'static str,
    pub cents: (i64, i64),
}

/// A given or family name, and how it is spelt in an email address.
pub(super) type Name = (&'static str, &'static str);

pub(super) const EU: Region = Region {
    name: "EU",
    countries: &[
        Country {
            name: "Germany",
            region: "EU",
            currency: "EUR",
            dial: "+49",
            cities: &["Berlin", "Hamburg", "München", "Köln", "Leipzig", "Bremen"],
            streets: &["Lindenstraße", "Bahnhofstraße", "Gartenweg", "Mühlenweg", "Am Markt"],
        },
        Country {
            name: "France",
            region: "EU",
            currency: "EUR",
            dial: "+33",
            cities: &["Paris", "Lyon", "Nantes", "Toulouse", "Orléans"],
            streets: &["rue Victor Hugo", "avenue de la Gare", "rue des Lilas", "place du Marché"],
        },
        Country {
            name: "Netherlands",
            region: "EU",
            currency: "EUR",
            dial: "+31",
            cities: &["Amsterdam", "Utrecht", "Rotterdam", "Groningen"],
            streets: &["Kerkstraat", "Molenweg", "Dorpsstraat", "Stationsplein"],
        },
        Country {
            name: "Spain",
            region: "EU",
            currency: "EUR",
            dial: "+34",
            cities: &["Madrid", "Sevilla", "Bilbao", "Málaga"],
            streets: &["calle Mayor", "calle del Sol", "avenida del Puerto", "plaza de España"],
        },
        Country {
            name: "Sweden",
            region: "EU",
            currency: "SEK",
            dial: "+46",
            cities: &["Stockholm", "Göteborg", "Malmö", "Uppsala"],
            streets: &["Storgatan", "Skolvägen", "Björkvägen", "Kungsgatan"],
        },
    ],
};

pub(super) const US: Region = Region {
    name: "US",
    countries: &[Country {
        name: "United States",
        region: "US",
        currency: "USD",
        dial: "+1",
        cities: &["Chicago", "Austin", "Denver", "Seattle", "Atlanta", "Boston", "Portland", "Phoenix"],
        streets: &["Maple Street", "Oak Avenue", "Cedar Lane", "Lake Drive", "Main Street", "Hill Road"],
    }],
};

pub(super) const APAC: Region = Region {
    name: "APAC",
    countries: &[
        Country {
            name: "Japan",
            region: "APAC",
            currency: "JPY",
            dial: "+81",
            cities: &["東京", "Osaka", "Nagoya", "Sapporo"],
            streets: &["Sakura-dori", "Midori-cho", "Hikari-machi"],
        },
        Country {
            name: "Australia",
            region: "APAC",
            currency: "AUD",
            dial: "+61",
            cities: &["Sydney", "Melbourne", "Perth", "Brisbane"],
            streets: &["George Street", "Wattle Road", "Harbour Parade"],
        },
        Country {
            name: "Singapore",
            region: "APAC",
            currency: "SGD",
            dial: "+65",
            cities: &["Singapore"],
            streets: &["Orchard Link", "Jurong Rise", "Bedok Walk"],
        },
        Country {
            name: "India",
            region: "APAC",
            currency: "INR",
            dial: "+91",
            cities: &["Mumbai", "Pune", "Chennai", "Kolkata"],
            streets: &["Lake View Road", "Station Road", "Garden Street"],
        },
    ],
};

/// One region for each of twenty customers: 40, 35 and 25 of a hundred.
pub(super) const REGION_DECK: [&Region; 20] =
    [&EU, &EU, &EU, &EU, &EU, &EU, &EU, &EU, &US, &US, &US, &US, &US, &US, &US, &APAC, &APAC, &APAC, &APAC, &APAC];

pub(super) const GIVEN: &[Name] = &[
    ("Amara", "amara"),
    ("Anouk", "anouk"),
    ("Ben", "ben"),
    ("Björn", "bjoern"),
    ("Carla", "carla"),
    ("Chen", "chen"),
    ("Daniel", "daniel"),
    ("Elena", "elena"),
    ("Emil", "emil"),
    ("Fatima", "fatima"),
    ("Grace", "grace"),
    ("Hiro", "hiro"),
    ("Ines", "ines"),
    ("Jamal", "jamal"),
    ("José", "jose"),
    ("Karin", "karin"),
    ("Leo", "leo"),
    ("Linh", "linh"),
    ("Łukasz", "lukasz"),
    ("Maya", "maya"),
    ("Noah", "noah"),
    ("Nora", "nora"),
    ("Olga", "olga"),
    ("Priya", "priya"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Sam", "sam"),
    ("Tariq", "tariq"),
    ("Uma", "uma"),
    ("Victor", "victor"),
    ("Yuki", "yuki"),
    ("Zoë", "zoe"),
];

pub(super) const FAMILY: &[Name] = &[
    ("Abebe", "abebe"),
    ("Andersson", "andersson"),
    ("Bakker", "bakker"),
    ("Becker", "becker"),
    ("Carter", "carter"),
    ("Costa", "costa"),
    ("Das", "das"),
    ("Dubois", "dubois"),
    ("Ek", "ek"),
    ("Fischer", "fischer"),
    ("Garcia", "garcia"),
    ("Haddad", "haddad"),
    ("Ito", "ito"),
    ("Jensen", "jensen"),
    ("Kaya", "kaya"),
    ("Keller", "keller"),
    ("Lee", "lee"),
    ("Lopez", "lopez"),
    ("Martin", "martin"),
    ("Müller", "mueller"),
    ("Nair", "nair"),
    ("Novak", "novak"),
    ("O'Brien", "obrien"),
    ("Okafor", "okafor"),
    ("Olsen", "olsen"),
    ("Peters", "peters"),
    ("Rossi", "rossi"),
    ("Sato", "sato"),
    ("Silva", "silva"),
    ("Tan", "tan"),
    ("Walker", "walker"),
    ("Weber", "weber"),
];

pub(super) const MAIL_DOMAINS: &[&str] =
    &["example.com", "example.org", "example.net", "mail.example", "post.example", "web.example"];

pub(super) const CATEGORIES: &[Category] = &[
    Category { code: "KTL", cents: (1_900, 8_900) },
    Category { code: "LMP", cents: (1_200, 24_900) },
    Category { code: "CHR", cents: (4_900, 39_900) },
    Category { code: "DSK", cents: (9_900, 89_900) },
    Category { code: "MUG", cents: (400, 2_400) },
    Category { code: "PAN", cents: (1_500, 12_900) },
    Category { code: "RUG", cents: (2_900, 49_900) },
    Category { code: "SHF", cents: (2_500, 19_900) },
    Category { code: "TWL", cents: (600, 4_900) },
    Category { code: "VAS", cents: (800, 14_900) },
];

pub(super) const NOTES: &[&str] = &[
    "call before delivery",
    "gift, no invoice in the box",
    "leave at the back door",
    "customer asked for the blue one",
    "second attempt",
    "combine with the open order",
];

pub(super) const CARRIER_NAMES: &[&str] = &[
    "Blue Heron",
    "Northwind",
    "Polar",
    "Red Kite",
    "Sandpiper",
    "Silk Road",
    "Swift Fox",
    "Tern",
    "Tidewater",
    "Two Rivers",
];

pub(super) const CARRIER_MODES: &[&str] = &["road", "rail", "air", "sea"];

/// Channel and the campaigns that ran on it.
pub(super) const CHANNELS: &[(&str, &[&str])] = &[
    ("email", &["spring-letter", "loyalty", "basket-reminder"]),
    ("search", &["brand", "kitchen", "office"]),
    ("social", &["home-stories", "new-arrivals"]),
    ("store", &["opening-week"]),
    ("partner", &["bundle", "cashback"]),
];

/// Department and the lowest yearly salary in it, in whole units of money.
pub(super) const DEPARTMENTS: &[(&str, i64)] = &[
    ("engineering", 58_000),
    ("finance", 52_000),
    ("legal", 61_000),
    ("logistics", 39_000),
    ("marketing", 45_000),
    ("people", 46_000),
    ("sales", 42_000),
    ("support", 36_000),
];
