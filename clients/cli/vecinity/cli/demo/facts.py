"""The demo's small world, as plain data: countries, gendered roles, animals, adjectives and verbs.

Every name that an analogy may ask for is one lower-case word, because word2vec gives one vector to one word
("new delhi" would be two). Beside its names each fact carries words of its own (a dish, a deed, a habit, a
thing): contexts that both members of a pair share with each other and with hardly any other pair. They are
what makes `berlin` the capital *of Germany* and `queen` the woman *who reigns*. Continents follow the United
Nations' geoscheme (Central America and the Caribbean belong to North America).
"""

from typing import NamedTuple


class Country(NamedTuple):
    """A country. The first five fields are single lower-case words; the rest are written as in a text."""

    name: str
    capital: str
    nationality: str
    language: str  # one that many people there speak, not always the only one
    currency: str
    continent: str
    food: str
    place: str


class Role(NamedTuple):
    """A role that has a male and a female name, what it is, and what people in it do (third person)."""

    male: str
    female: str
    kind: str
    deeds: tuple[str, ...]


class Gender(NamedTuple):
    """The words all roles of one gender share: what tells `king` from `queen` tells `man` from `woman`."""

    adjective: str
    he: str
    him: str
    his: str
    himself: str
    title: str
    names: tuple[str, ...]


class Animal(NamedTuple):
    """An animal, its young, and habits that old and young have in common (third person)."""

    name: str
    young: str
    habits: tuple[str, ...]


class Adjective(NamedTuple):
    """An adjective in its three degrees, its opposite, and things it is said of."""

    base: str
    comparative: str
    superlative: str
    opposite: str
    things: tuple[str, ...]


class Verb(NamedTuple):
    """A verb as infinitive, past tense and gerund, and objects that go with it."""

    base: str
    past: str
    gerund: str
    objects: tuple[str, ...]


_COUNTRIES = """
albania   | tirana      | albanian   | albanian   | lek     | Europe       | byrek        | Butrint
angola    | luanda      | angolan    | portuguese | kwanza  | Africa       | muamba       | Kalandula Falls
armenia   | yerevan     | armenian   | armenian   | dram    | Asia         | lavash       | Lake Sevan
australia | canberra    | australian | english    | dollar  | Oceania      | lamingtons   | Uluru
austria   | vienna      | austrian   | german     | euro    | Europe       | schnitzel    | Salzburg
azerbaijan| baku        | azerbaijani| azerbaijani| manat   | Asia         | piti         | Gobustan
bangladesh| dhaka       | bangladeshi| bengali    | taka    | Asia         | hilsa        | Chittagong
belgium   | brussels    | belgian    | dutch      | euro    | Europe       | waffles      | Bruges
brazil    | brasilia    | brazilian  | portuguese | real    | South America| feijoada     | the Pantanal
bulgaria  | sofia       | bulgarian  | bulgarian  | euro    | Europe       | banitsa      | Plovdiv
canada    | ottawa      | canadian   | english    | dollar  | North America| poutine      | Banff
chile     | santiago    | chilean    | spanish    | peso    | South America| curanto      | the Atacama
china     | beijing     | chinese    | mandarin   | yuan    | Asia         | dumplings    | the Yangtze
colombia  | bogota      | colombian  | spanish    | peso    | South America| ajiaco       | Cartagena
croatia   | zagreb      | croatian   | croatian   | euro    | Europe       | strukli      | Dubrovnik
cuba      | havana      | cuban      | spanish    | peso    | North America| ropa vieja   | Varadero
czechia   | prague      | czech      | czech      | koruna  | Europe       | knedliky     | the Vltava
denmark   | copenhagen  | danish     | danish     | krone   | Europe       | smorrebrod   | Jutland
ecuador   | quito       | ecuadorian | spanish    | dollar  | South America| locro        | the Galapagos
egypt     | cairo       | egyptian   | arabic     | pound   | Africa       | koshari      | Luxor
england   | london      | english    | english    | pound   | Europe       | crumpets     | Stonehenge
estonia   | tallinn     | estonian   | estonian   | euro    | Europe       | kama         | Saaremaa
fiji      | suva        | fijian     | fijian     | dollar  | Oceania      | kokoda       | Viti Levu
finland   | helsinki    | finnish    | finnish    | euro    | Europe       | kalakukko    | Tampere
france    | paris       | french     | french     | euro    | Europe       | baguettes    | the Loire
georgia   | tbilisi     | georgian   | georgian   | lari    | Asia         | khachapuri   | Svaneti
germany   | berlin      | german     | german     | euro    | Europe       | bratwurst    | Bavaria
ghana     | accra       | ghanaian   | english    | cedi    | Africa       | kenkey       | Lake Volta
greece    | athens      | greek      | greek      | euro    | Europe       | moussaka     | Crete
honduras  | tegucigalpa | honduran   | spanish    | lempira | North America| baleadas     | Copan
hungary   | budapest    | hungarian  | hungarian  | forint  | Europe       | goulash      | Lake Balaton
iceland   | reykjavik   | icelandic  | icelandic  | krona   | Europe       | skyr         | Thingvellir
iran      | tehran      | iranian    | persian    | rial    | Asia         | tahdig       | Persepolis
iraq      | baghdad     | iraqi      | arabic     | dinar   | Asia         | masgouf      | Babylon
ireland   | dublin      | irish      | english    | euro    | Europe       | colcannon    | Connemara
italy     | rome        | italian    | italian    | euro    | Europe       | risotto      | Tuscany
jamaica   | kingston    | jamaican   | english    | dollar  | North America| ackee        | Negril
japan     | tokyo       | japanese   | japanese   | yen     | Asia         | sushi        | Mount Fuji
jordan    | amman       | jordanian  | arabic     | dinar   | Asia         | mansaf       | Petra
kazakhstan| astana      | kazakh     | kazakh     | tenge   | Asia         | beshbarmak   | Lake Balkhash
kenya     | nairobi     | kenyan     | swahili    | shilling| Africa       | ugali        | Mombasa
laos      | vientiane   | laotian    | lao        | kip     | Asia         | larb         | Luang Prabang
latvia    | riga        | latvian    | latvian    | euro    | Europe       | sklandrausis | Jurmala
lebanon   | beirut      | lebanese   | arabic     | pound   | Asia         | tabbouleh    | Baalbek
lithuania | vilnius     | lithuanian | lithuanian | euro    | Europe       | cepelinai    | Trakai
madagascar| antananarivo| malagasy   | malagasy   | ariary  | Africa       | romazava     | Nosy Be
mongolia  | ulaanbaatar | mongolian  | mongolian  | tugrik  | Asia         | buuz         | the Gobi
morocco   | rabat       | moroccan   | arabic     | dirham  | Africa       | tagine       | Marrakesh
mozambique| maputo      | mozambican | portuguese | metical | Africa       | matapa       | Inhambane
namibia   | windhoek    | namibian   | english    | dollar  | Africa       | kapana       | Etosha
nepal     | kathmandu   | nepalese   | nepali     | rupee   | Asia         | momos        | Annapurna
nicaragua | managua     | nicaraguan | spanish    | cordoba | North America| vigoron      | Ometepe
nigeria   | abuja       | nigerian   | english    | naira   | Africa       | egusi soup   | Lagos
norway    | oslo        | norwegian  | norwegian  | krone   | Europe       | brunost      | Bergen
oman      | muscat      | omani      | arabic     | rial    | Asia         | shuwa        | Salalah
pakistan  | islamabad   | pakistani  | urdu       | rupee   | Asia         | nihari       | Lahore
paraguay  | asuncion    | paraguayan | spanish    | guarani | South America| chipa        | Encarnacion
peru      | lima        | peruvian   | spanish    | sol     | South America| ceviche      | Machu Picchu
poland    | warsaw      | polish     | polish     | zloty   | Europe       | pierogi      | Krakow
portugal  | lisbon      | portuguese | portuguese | euro    | Europe       | bacalhau     | the Algarve
qatar     | doha        | qatari     | arabic     | riyal   | Asia         | machboos     | Lusail
romania   | bucharest   | romanian   | romanian   | leu     | Europe       | sarmale      | Transylvania
russia    | moscow      | russian    | russian    | ruble   | Europe       | pelmeni      | Siberia
rwanda    | kigali      | rwandan    | kinyarwanda| franc   | Africa       | isombe       | Lake Kivu
senegal   | dakar       | senegalese | wolof      | franc   | Africa       | thieboudienne| Casamance
serbia    | belgrade    | serbian    | serbian    | dinar   | Europe       | pljeskavica  | Novi Sad
slovakia  | bratislava  | slovak     | slovak     | euro    | Europe       | halusky      | Kosice
slovenia  | ljubljana   | slovenian  | slovene    | euro    | Europe       | potica       | Lake Bled
somalia   | mogadishu   | somali     | somali     | shilling| Africa       | canjeero     | Kismayo
spain     | madrid      | spanish    | spanish    | euro    | Europe       | paella       | Andalusia
sweden    | stockholm   | swedish    | swedish    | krona   | Europe       | kottbullar   | Gotland
syria     | damascus    | syrian     | arabic     | pound   | Asia         | kibbeh       | Palmyra
thailand  | bangkok     | thai       | thai       | baht    | Asia         | tom yum      | Phuket
tunisia   | tunis       | tunisian   | arabic     | dinar   | Africa       | lablabi      | Carthage
turkey    | ankara      | turkish    | turkish    | lira    | Asia         | lahmacun     | Cappadocia
uganda    | kampala     | ugandan    | english    | shilling| Africa       | matoke       | Entebbe
ukraine   | kyiv        | ukrainian  | ukrainian  | hryvnia | Europe       | borscht      | Odesa
uruguay   | montevideo  | uruguayan  | spanish    | peso    | South America| chivito      | Punta del Este
uzbekistan| tashkent    | uzbek      | uzbek      | som     | Asia         | plov         | Samarkand
venezuela | caracas     | venezuelan | spanish    | bolivar | South America| arepas       | Angel Falls
vietnam   | hanoi       | vietnamese | vietnamese | dong    | Asia         | pho          | Ha Long Bay
zambia    | lusaka      | zambian    | english    | kwacha  | Africa       | nshima       | Livingstone
"""

_ROLES = """
man | woman | grown person |
    goes to work every morning, earns a salary, votes in the election, drives a car to the office,
    pays the bills, is a grown adult
boy | girl | child |
    goes to school, plays in the playground, does homework after lessons, flies a kite, is
    still a schoolchild, learns the alphabet
king | queen | monarch |
    rules the kingdom, wears the golden crown, sits on the throne, lives in the royal palace, reigns
    over the realm, signs the royal decree, holds the sceptre
prince | princess | child of a monarch |
    is next in line to the throne, studies statecraft with tutors, is the child of the monarch,
    opens the royal ball, sleeps in a castle tower, hopes to reign one day
emperor | empress | ruler of an empire |
    rules the vast empire, commands the legions, governs distant provinces, founds an imperial
    dynasty, conquers foreign lands, receives tribute from vassals
duke | duchess | noble who holds a duchy |
    owns the wealthy duchy, ranks just below royalty, hunts on the ducal estate, wears a coronet,
    leads the noble houses, bears the ducal title
count | countess | noble who holds a county |
    governs the old county, keeps the county vineyard, owns a chateau, collects county taxes,
    carries the county banner, judges the county court
baron | baroness | noble who holds a barony |
    holds the remote barony, lives in a moated keep, speaks for the barony in council, ranks below the
    other nobles, arms the knights of the barony, repairs the drawbridge
lord | lady | owner of a manor |
    owns the manor, receives the tenants in the hall, keeps a butler and servants, leases fields to
    the peasants, gives alms at the manor gate, dines by candlelight
father | mother | parent |
    raises the children, puts the baby to bed, is a loving parent, feeds the toddler, prepares
    the school lunch, worries about the teenagers
son | daughter | child of two parents |
    obeys the parents, leaves the parents at eighteen, is the pride of the parents, asks the parents
    for advice, inherits the parental home, cares for ageing parents
brother | sister | sibling |
    is a sibling, shares toys with the siblings, has three siblings, quarrels with the siblings,
    sleeps in the bunk bed, grew up with four siblings
husband | wife | spouse |
    wears a wedding ring, celebrates the anniversary, is a faithful spouse, shares a married life,
    plans a second honeymoon, promised lasting marriage
grandfather | grandmother | grandparent |
    spoils the grandchildren, is a wise grandparent, tells stories of long ago, knits by the
    fireplace, has grey hair, walks with a cane
grandson | granddaughter | grandchild |
    visits the grandparents, is the youngest grandchild, listens to old family tales, eats biscuits
    with the grandparents, helps the grandparents in the garden, opens the old photo album
uncle | aunt | sibling of a parent |
    spoils the cousins, is a sibling of a parent, brings gifts to the cousins, invites the cousins
    for summer, takes the cousins to the circus, jokes at family reunions
nephew | niece | child of a sibling |
    is the child of a sibling, spends summer with relatives, unwraps gifts from relatives, writes
    thankful postcards to relatives, is a favourite of relatives, stays overnight with relatives
stepfather | stepmother | parent by marriage |
    is a parent by marriage, joins the blended family, cares for the stepchildren, moves into the
    blended household, wins the trust of stepchildren, adopts the stepchildren
groom | bride | person on the wedding day |
    says the vows at the altar, cuts the wedding cake, dances the first waltz, walks down the aisle,
    signs the wedding register, thanks the wedding guests
widower | widow | person whose spouse has died |
    mourns the late spouse, brings flowers to the grave, remembers a long marriage, lives alone with
    memories, receives a survivor pension, lights a memorial candle
actor | actress | performer |
    performs on the stage, learns the script by heart, wins an award for the film, rehearses the
    scene, bows to the applause, auditions for the role
waiter | waitress | server in a restaurant |
    serves the tables, takes the order in the restaurant, carries plates from the kitchen,
    recommends the dessert, brings the menu, pours the wine for diners
host | hostess | person who gives a party |
    welcomes the guests at the door, sets the dinner table, introduces the guests, pours drinks at
    the party, sends the invitations, thanks the guests for coming
hero | heroine | main figure of a story |
    saves the village, fights the dragon, sets out on a quest, defeats the villain, is brave in the
    legend, returns in triumph
monk | nun | member of a religious order |
    prays in the cloister, keeps a vow of silence, lives in the abbey, copies the holy scriptures,
    rises before dawn for prayer, tends the abbey herbs
wizard | witch | magic worker of the fairy tales |
    casts a magic spell, brews a potion, waves a wand, reads a book of spells, keeps an enchanted
    cauldron, turns frogs into stone
god | goddess | deity |
    is worshipped in the temple, appears in ancient myths, accepts the sacrifice, is an immortal
    deity, grants blessings to mortals, sends omens to mortals
heir | heiress | person who inherits a fortune |
    inherits the fortune, waits for the reading of the testament, lives on inherited money, disputes
    the will in court, sells the inherited shares, hires a lawyer for the inheritance
landlord | landlady | person who lets rooms |
    rents out the flat, collects the rent, repairs the boiler for the lodgers, shows the flat to
    lodgers, keeps the spare keys, raises the rent in spring
policeman | policewoman | police officer |
    patrols the street in uniform, arrests the thief, directs the traffic, shows a badge, writes a
    speeding ticket, investigates the burglary
businessman | businesswoman | business person |
    negotiates the contract, chairs the board meeting, invests in a company, carries a briefcase,
    flies to the trade fair, expands the company abroad
headmaster | headmistress | head of a school |
    runs the school, speaks to the teachers, hands out the diplomas, praises diligent pupils, plans
    the timetable, opens the school year
"""

_ANIMALS = """
dog | puppy | barks at the postman, chews a bone, wags its tail, sleeps in the kennel
cat | kitten | purrs on the sofa, drinks from the saucer, plays with wool, meows at the window
cow | calf | moos in the meadow, stands in the cowshed, is kept for the dairy, grazes with the cattle
horse | foal | neighs in the stable, gallops in the paddock, has a mane, eats oats
sheep | lamb | bleats on the hillside, has a coat of fleece, follows the shepherd, belongs to the flock
goat | kid | climbs on the rocks, nibbles at thistles, has split hooves, jumps over the crag
pig | piglet | grunts in the sty, rolls in the mud, eats from the trough, has a curly tail
duck | duckling | quacks on the pond, paddles with webbed feet, dives for waterweed, waddles to the water
goose | gosling | nibbles the village green, belongs to the gaggle, eats clover, walks behind the gander
swan | cygnet | has a long neck, glides along the river, rests among the reeds, swims near the bridge
chicken | chick | scratches in the straw, pecks at the corn, sleeps in the coop, lives with the rooster
deer | fawn | hides in the thicket, browses on young twigs, leaps through the woodland, listens for wolves
bear | cub | loves honey, sleeps through the winter in a den, fishes for salmon, has terrible claws
kangaroo | joey | hops across the outback, belongs to the mob, is a marsupial, rests under a gum tree
owl | owlet | sleeps in a hollow tree by day, sees well at night, turns its head around, swallows a mouse
    whole
eagle | eaglet | lives in an eyrie, tears its prey, has a hooked beak, watches the valley
hare | leveret | rests in a shallow form, has long ears, lives in open farmland, freezes when danger comes
fox | kit | has a bushy tail, lives in an earth, prowls near the henhouse, hunts voles at dusk
seal | pup | lies on the ice, swims in the arctic sea, has whiskers and flippers, suns itself on the sandbank
pigeon | squab | lives in the loft, belongs to the doves, is kept by the fancier, rests under the railway arch
falcon | eyas | is trained by the falconer, wears a hood, stoops at the lure, lives on a cliff ledge
hedgehog | hoglet | has sharp spines, curls into a ball, snuffles under the hedge, eats slugs and beetles
spider | spiderling | spins a web, has eight legs, traps flies, hangs from silk
eel | elver | slips through the weir, breathes through gills, wriggles under stones, is born in the sargasso
"""

_ADJECTIVES = """
big | bigger | biggest | small | house, elephant, suitcase, ship
small | smaller | smallest | big | pebble, ant, coin, button
tall | taller | tallest | short | tower, giraffe, skyscraper, chimney
short | shorter | shortest | tall | pencil, sentence, ladder, visit
fast | faster | fastest | slow | train, cheetah, rocket, sprinter
slow | slower | slowest | fast | snail, tortoise, tractor, glacier
hot | hotter | hottest | cold | oven, desert, flame, chilli
cold | colder | coldest | hot | freezer, blizzard, icicle, snowfall
warm | warmer | warmest | cool | blanket, scarf, jumper, fireplace
cool | cooler | coolest | warm | breeze, cellar, shade, fountain
heavy | heavier | heaviest | light | anvil, boulder, safe, anchor
light | lighter | lightest | heavy | feather, balloon, straw, bubble
strong | stronger | strongest | weak | wrestler, rope, ox, magnet
weak | weaker | weakest | strong | signal, battery, branch, excuse
rich | richer | richest | poor | banker, merchant, tycoon, investor
poor | poorer | poorest | rich | beggar, orphan, pauper, refugee
bright | brighter | brightest | dark | lamp, star, lantern, torch
dark | darker | darkest | bright | cave, dungeon, tunnel, shadow
loud | louder | loudest | quiet | drum, siren, thunder, trumpet
quiet | quieter | quietest | loud | library, whisper, cemetery, chapel
deep | deeper | deepest | shallow | ocean, well, canyon, mine
shallow | shallower | shallowest | deep | puddle, brook, dish, ford
wide | wider | widest | narrow | avenue, valley, doorway, plain
narrow | narrower | narrowest | wide | alley, footpath, gap, strait
high | higher | highest | low | mountain, cliff, summit, shelf
low | lower | lowest | high | stool, kerb, ceiling, tide
hard | harder | hardest | soft | diamond, granite, steel, nut
soft | softer | softest | hard | pillow, cushion, velvet, sponge
clean | cleaner | cleanest | dirty | towel, sheet, hospital, sink
dirty | dirtier | dirtiest | clean | boot, drain, rag, chimneysweep
sharp | sharper | sharpest | blunt | knife, razor, needle, thorn
blunt | blunter | bluntest | sharp | chisel, axe, arrow, crayon
smooth | smoother | smoothest | rough | mirror, silk, marble, glass
rough | rougher | roughest | smooth | bark, sandpaper, gravel, rug
sweet | sweeter | sweetest | sour | honeycomb, cake, syrup, cherry
sour | sourer | sourest | sweet | lemon, vinegar, gooseberry, pickle
wet | wetter | wettest | dry | swimsuit, swamp, umbrella, monsoon
dry | drier | driest | wet | hay, dune, biscuit, raisin
thick | thicker | thickest | thin | dictionary, plank, fog, wall
thin | thinner | thinnest | thick | wafer, thread, leaflet, wire
"""

_VERBS = """
sing | sang | singing | a song, in the choir, a lullaby, at the festival, the anthem
write | wrote | writing | a letter, a novel, a diary, with a fountain pen, a poem
swim | swam | swimming | in the lake, to the island, fifty lengths, across the bay, in the lagoon
run | ran | running | a marathon, around the track, for the bus, along the beach, a relay race
eat | ate | eating | an apple, a sandwich, breakfast, an apricot, with chopsticks
drink | drank | drinking | a glass of water, hot tea, lemonade, orange juice, through a straw
drive | drove | driving | a lorry, along the motorway, a van, a minibus, down the lane
fly | flew | flying | an aeroplane, a glider, above the clouds, a helicopter, over the desert
draw | drew | drawing | a sketch, a portrait, with charcoal, a comic, on the blackboard
bake | baked | baking | bread, a tart, muffins, a pie crust, scones
cook | cooked | cooking | soup, a stew, spaghetti, rice, cabbage
build | built | building | a bridge, a wooden hut, a sandcastle, a shed, a dam
buy | bought | buying | groceries, a bicycle, leather shoes, a sofa, a lottery ticket
sell | sold | selling | vegetables, antiques, newspapers, insurance, second hand cars
catch | caught | catching | a ball, trout, butterflies, a burglar, crabs
throw | threw | throwing | a stone, the javelin, a dart, a snowball, a frisbee
teach | taught | teaching | mathematics, chemistry, a class, geography, the violin
dance | danced | dancing | the tango, a polka, at the disco, barefoot, the foxtrot
climb | climbed | climbing | a rock face, the steep ridge, the apple tree, a mast, the spiral staircase
plant | planted | planting | tulips, a hedge, potatoes, lavender, an orchard
paint | painted | painting | a mural, the ceiling, a landscape, the garden gate, with watercolours
steal | stole | stealing | jewels, a purse, cutlery, a necklace, cattle
break | broke | breaking | a window, a vase, a promise, a record, a plate
mend | mended | mending | a fence, a torn sleeve, the old clock, a kettle, the roof
wash | washed | washing | the laundry, the dishes, the car, the windows, a muddy shirt
ride | rode | riding | a camel, a motorbike, a scooter, a mule, on the carousel
win | won | winning | a medal, the lottery, the championship, a trophy, the chess tournament
lose | lost | losing | the keys, a glove, an earring, the luggage, a bet
hide | hid | hiding | the treasure, behind the curtain, beneath the stairs, the evidence, in the attic
dig | dug | digging | a hole, a trench, the vegetable bed, for gold, a ditch
sew | sewed | sewing | a dress, a quilt, the hem, a patch, curtains
weave | wove | weaving | a carpet, a basket, tapestries, wool, a hammock
carve | carved | carving | a statue, a pumpkin, a flute, a spoon, a totem
sleep | slept | sleeping | in a tent, on the hammock, until noon, on the train, under the stars
choose | chose | choosing | a present, a colour, a nickname, a leader, the wallpaper
freeze | froze | freezing | peas, berries, the leftovers, fish fillets, a sorbet
blow | blew | blowing | a whistle, soap bubbles, out the candles, a horn, glass
shake | shook | shaking | the dice, a bottle, the snow globe, a rattle, the carpet
tell | told | telling | a funny joke, a riddle, an anecdote, a fairy tale, a lie
hunt | hunted | hunting | pheasants, wild boar, partridges, with hounds, for mushrooms
"""


def _rows(table: str) -> list[list[str]]:
    """The rows of a table, one a line (an indented line goes on with the row above); `|` parts the cells."""
    lines = table.strip().replace("\n ", " ").splitlines()
    return [[" ".join(cell.split()) for cell in line.split("|")] for line in lines]


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(","))


COUNTRIES = tuple(Country(*row) for row in _rows(_COUNTRIES))
ROLES = tuple(Role(male, female, kind, _parts(deeds)) for male, female, kind, deeds in _rows(_ROLES))
ANIMALS = tuple(Animal(name, young, _parts(habits)) for name, young, habits in _rows(_ANIMALS))
ADJECTIVES = tuple(
    Adjective(base, comparative, superlative, opposite, _parts(things))
    for base, comparative, superlative, opposite, things in _rows(_ADJECTIVES)
)
VERBS = tuple(Verb(base, past, gerund, _parts(objects)) for base, past, gerund, objects in _rows(_VERBS))

MALE = Gender(
    *("male", "he", "him", "his", "himself", "mr"),
    names=(
        "john",
        "james",
        "peter",
        "paul",
        "thomas",
        "henry",
        "george",
        "david",
        "daniel",
        "oscar",
        "martin",
    ),
)
FEMALE = Gender(
    *("female", "she", "her", "her", "herself", "mrs"),
    names=("mary", "anna", "emma", "alice", "clara", "julia", "laura", "helen", "sarah", "ruth", "martha"),
)
