import type { Random } from "./random.ts";
import type { Order } from "./speak.ts";

const ENGLISH: readonly string[] = [
  "The morning sun rose slowly over the harbour, and the fishing boats came home.",
  "Please bring me a cup of black coffee, two boiled eggs and some brown bread.",
  "She sells small silver spoons at the market every Saturday.",
  "Why would anyone walk through the woods without a warm woollen coat?",
  "My mother bought a big blue umbrella, but my brother broke it by Monday.",
  "Five fine violins were found in the fourth-floor office.",
  "The judge just jumped over the bridge, laughing like a child.",
  "Oh no! Who moved the moon?",
  "I think that three thousand thirsty thieves thought the same thing.",
  "Father parked the car far past the large barn.",
  "Put the good cookbook by the window and look at the wooden hook.",
  "We need to keep these clean sheets free of grease.",
  "Can you count backwards from ninety-nine to seventy-six?",
  "Hot soup, cold juice, smooth cheese, sharp knives.",
  "Your appointment has been moved to Wednesday, the twelfth of August, at half past four.",
  "Thank you for calling. How may I help you today?",
  "The weather tomorrow will be mostly cloudy, with a chance of heavy showers in the west.",
  "Turn left at the next corner, then go straight on for about two hundred metres.",
  "Every avatar has a voice, a face and a story to tell.",
  "Machines that talk ought to move their mouths as people do.",
  "Where are the yellow onions, the garlic and the olive oil?",
  "Bob popped up to pick a purple pumpkin, and Pam mopped up the mess.",
  "A quick brown fox jumps over the lazy dog while zebras gaze.",
  "No, I do not know whose phone is ringing on the sofa.",
  "Choose a shoe, a shirt and a matching shawl from the shop.",
  "Our hour is over; our tower of flowers is down.",
  "The boy enjoys noisy toys and oysters.",
  "Hey, wait! They say it may rain today in Spain.",
  "Nine white kites fly high in the bright night sky.",
  "Usually the vision of leisure and treasure brings pleasure.",
  "It was, in fact, the best thing that had ever happened to the village.",
  "Um, well, maybe. Let me see. All right then!",
  "Is that so? Absolutely amazing! Ha ha, what a wonderful surprise.",
  "One, two, three, four, five, six, seven, eight, nine, ten.",
  "Aah. Ooh. Eee. Mmm. Sss. Ohh. Fff. Shh.",
  "Press the button firmly, hold it for six seconds, and release it when the lamp blinks.",
  "In nineteen sixty-nine, people watched the first steps on the moon together.",
  "Sam's sister sings songs in seven systems.",
  "Would you rather go bowling, or row a boat below the old stone bridge?",
  "The engineers measured voltage, current and temperature at each of the valves.",
  "Love, hope, and a little bit of luck, that is all we have.",
  "Fish and chips with vinegar, please, and a fresh vegetable salad.",
  "Good evening, ladies and gentlemen, and welcome to the programme.",
  "Mum made marmalade; Pop played the pipe; Bibi baked bread.",
  "You knew the new blue shoes were too loose for Sue.",
  "Ask aunt Martha after the dance class.",
  "Red pens, ten men, wet hens and seven beds.",
  "Big pigs dig in the thin mist until spring.",
];

/** Never trained on. */
export const HELD_OUT_SENTENCES: readonly string[] = [
  "Before the meeting begins, please switch off your mobile phones.",
  "The old man opened his heavy wooden box and showed us seven shining shells.",
  "Who knew that blue cheese goes so well with fresh figs?",
  "Martha's father asked for half a glass of calm water. Mmm, marvellous!",
  "Just imagine: a pocket full of fuzzy caterpillars. Why not?",
  "Six thousand people marched past the palace, singing, waving and beaming.",
];

interface Foreign {
  readonly voice: string;
  readonly sentences: readonly string[];
}

const FOREIGN: readonly Foreign[] = [
  {
    voice: "de",
    sentences: [
      "Guten Morgen, ich möchte bitte zwei frische Brötchen und eine Tasse Kaffee.",
      "Über sieben Brücken musst du gehen, sagte die kluge Großmutter.",
      "Fischers Fritz fischt frische Fische, und Papa baut ein Baumhaus.",
      "Morgen wird es im Süden schön, im Norden bleibt es kühl und windig.",
    ],
  },
  {
    voice: "fr",
    sentences: [
      "Bonjour madame, je voudrais un bon pain blanc et deux croissants, s'il vous plaît.",
      "Un chasseur sachant chasser chasse sans son chien dans la forêt.",
      "Le petit oiseau bleu chante tous les matins sur la vieille tour.",
    ],
  },
  {
    voice: "es",
    sentences: [
      "Buenos días, me gustaría reservar una mesa para cuatro personas.",
      "La mamá de Pepe amasa pan y papas en la casa blanca.",
      "Mañana por la mañana vamos a la playa con mi abuelo y su perro.",
    ],
  },
  {
    voice: "it",
    sentences: [
      "Buongiorno, vorrei un bicchiere d'acqua e un piatto di spaghetti al pomodoro.",
      "La luna illumina la valle e il mare mormora piano.",
      "Sopra la panca la capra campa, sotto la panca la capra crepa.",
    ],
  },
  {
    voice: "nl",
    sentences: [
      "Goedemorgen, mag ik een kopje koffie en een broodje met oude kaas?",
      "De zon schijnt buiten, maar het water in de gracht is nog koud.",
    ],
  },
  {
    voice: "sv",
    sentences: ["God morgon, jag skulle vilja ha en kopp kaffe och sju små kakor, tack."],
  },
  {
    voice: "pt-br",
    sentences: ["Bom dia, eu queria um pouco de leite e um pão com manteiga, por favor."],
  },
  { voice: "pl", sentences: ["Dzień dobry, proszę o filiżankę herbaty i świeżą bułkę z masłem."] },
];

const ACCENTS = ["en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-us-nyc"];

const VARIANTS =
  "m1 m2 m3 m4 m5 m6 f1 f2 f3 f4 Adam Alex Alicia Andrea Annie Belinda Benjamin Caleb David Ed " +
  "Edward Gene Iven John Lee Linda Mario Max Michael Mike Pablo Paul Pedro Quincy Rob Robert " +
  "Steph Steph2 anika grandpa grandma norbert sandro shelby travis victor klatt klatt2 klatt3";

/** Never trained on: two men, two women and an accent. */
export const HELD_OUT_VOICES: readonly string[] = [
  "en-us+m7",
  "en-us+f5",
  "en+Andy",
  "en-gb-x-gbcwmd+Steph3",
  "en-029",
];

/** Languages whose spelling says plainly how syllables sound. */
const SPELLERS = ["es", "it", "de"];
const ONSETS = "m b p f v s t d n l r g w y sh ch k".split(" ");
const NUCLEI = "a e i o u ai au oi".split(" ");

/** One thing to say, drawn at random: mostly English, some other languages and syllables. */
export function randomOrder(random: Random): Order {
  const kind = random.between();
  const variant = random.pick(VARIANTS.split(" "));
  const rate = random.integer(110, 230);
  const pitch = random.integer(25, 80);
  if (kind < 0.62) {
    return { voice: `${random.pick(ACCENTS)}+${variant}`, rate, pitch, text: random.pick(ENGLISH) };
  }
  if (kind < 0.82) {
    const { voice, sentences } = random.pick(FOREIGN);
    return { voice: `${voice}+${variant}`, rate, pitch, text: random.pick(sentences) };
  }
  if (kind < 0.85) {
    return { voice: "en-us+whisper", rate, pitch, text: random.pick(ENGLISH) };
  }
  return { voice: `${random.pick(SPELLERS)}+${variant}`, rate, pitch, text: syllables(random) };
}

function syllables(random: Random): string {
  const words = Array.from({ length: random.integer(3, 8) }, () =>
    Array.from(
      { length: random.integer(1, 4) },
      () => random.pick(ONSETS) + random.pick(NUCLEI),
    ).join(""),
  );
  return words.join(random.chance(0.4) ? ", " : " ");
}
