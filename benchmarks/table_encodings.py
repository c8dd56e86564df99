# ruff: noqa: RUF001, E501  the letters of other scripts are meant, which are wider than one
"""How often the encoding of a table of captions is found, by charset-normalizer alone and by an import.

    python benchmarks/table_encodings.py
    python benchmarks/table_encodings.py --wrong

Tables of one, three and eight captions in eighteen languages are written in the encodings in which people's
tools still write them. Counted is how many texts come back as they were: by the library alone with its
defaults, by the library among the encodings that are looked for here, and by an import.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import charset_normalizer
import common  # noqa: F401  finds the package

from mmdemo.data.encodings import ASKED, decode
from mmdemo.errors import MediaError

LANGUAGES = {
    "German": (
        ["cp1252", "mac_roman", "cp850", "utf-16-le"],
        "Eine Katze sitzt auf dem grünen Sofa|Zwei Mädchen spielen Fußball im Garten|Der Hund läuft über die Straße|"
        "Ein großer Baum vor dem Haus|Äpfel und Birnen auf dem Tisch|Ein Mann fährt mit dem Fahrrad|"
        "Schöne Aussicht über den See|Müde Reisende im Zug nach Köln",
    ),
    "French": (
        ["cp1252", "mac_roman", "cp850", "utf-16-be"],
        "Une tasse de café crème à l’hôtel|Un garçon joue à la plage|La forêt en été, près de l’église|"
        "Deux élèves devant le tableau|Où est le château ?|Un gâteau aux fraises|Le train arrive à la gare|"
        "Une vieille maison brûlée",
    ),
    "Spanish": (
        ["cp1252", "mac_roman", "cp850"],
        "Un niño come una manzana|La montaña está cubierta de nieve|¿Dónde está el perro?|Una señora con paraguas|"
        "El camión rojo en la calle|Un pájaro en el árbol|Mañana por la mañana|Dos jóvenes bailan",
    ),
    "Polish": (
        ["cp1250", "iso8859_2", "cp852"],
        "Żółty kot śpi na łóżku|Dziewczyna je jabłko|Mężczyzna jedzie na rowerze|Duży pies biegnie przez łąkę|"
        "Książki leżą na półce|Dzieci bawią się w śniegu|Stary zamek nad rzeką|Świeże kwiaty w wazonie",
    ),
    "Czech": (
        ["cp1250", "iso8859_2"],
        "Žlutá kočka spí na pohovce|Muž jede na kole přes most|Děti si hrají ve sněhu|Velký pes běží po louce|"
        "Šálek kávy na stole|Řeka teče pod starým hradem|Dívka jí jablko|Čerstvé květiny ve váze",
    ),
    "Hungarian": (
        ["cp1250"],
        "Egy macska ül az ablakban|Két lány játszik a kertben|A kutya átfut az úton|Nagy fa áll a ház előtt|"
        "Gyümölcsök az asztalon|Egy férfi kerékpározik|Szép kilátás a tóra|Fáradt utasok a vonaton",
    ),
    "Turkish": (
        ["cp1254"],
        "Bir kedi pencerenin yanında oturuyor|İki kız bahçede oynuyor|Köpek yolun karşısına koşuyor|"
        "Evin önünde büyük bir ağaç|Masanın üzerinde elmalar|Bir adam bisiklete biniyor|Güzel göl manzarası|"
        "Trende yorgun yolcular",
    ),
    "Russian": (
        ["cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5", "utf-16-le"],
        "Кошка сидит на окне|Две девочки играют в саду|Собака бежит через дорогу|Большое дерево перед домом|"
        "Яблоки и груши на столе|Мужчина едет на велосипеде|Красивый вид на озеро|Уставшие пассажиры в поезде",
    ),
    "Ukrainian": (
        ["cp1251"],
        "Кішка сидить на вікні|Дві дівчинки граються в саду|Собака біжить через дорогу|Велике дерево біля будинку|"
        "Яблука і груші на столі|Чоловік їде на велосипеді|Гарний вид на озеро|Втомлені пасажири в поїзді",
    ),
    "Greek": (
        ["cp1253", "iso8859_7"],
        "Η γάτα κάθεται στο παράθυρο|Δύο κορίτσια παίζουν στον κήπο|Ο σκύλος τρέχει στον δρόμο|"
        "Ένα μεγάλο δέντρο μπροστά στο σπίτι|Μήλα και αχλάδια στο τραπέζι|Ένας άντρας με ποδήλατο|Ωραία θέα στη λίμνη|"
        "Κουρασμένοι επιβάτες στο τρένο",
    ),
    "Hebrew": (
        ["cp1255"],
        "חתול יושב ליד החלון|שתי ילדות משחקות בגן|הכלב רץ מעבר לכביש|עץ גדול לפני הבית|תפוחים על השולחן|"
        "איש רוכב על אופניים|נוף יפה של האגם|נוסעים עייפים ברכבת",
    ),
    "Arabic": (
        ["cp1256", "iso8859_6"],
        "قطة تجلس بجانب النافذة|فتاتان تلعبان في الحديقة|الكلب يركض عبر الطريق|شجرة كبيرة أمام البيت|تفاح على الطاولة|"
        "رجل يركب دراجة|منظر جميل للبحيرة|ركاب متعبون في القطار",
    ),
    "Thai": (
        ["cp874"],
        "แมวนั่งอยู่ข้างหน้าต่าง|เด็กหญิงสองคนเล่นในสวน|สุนัขวิ่งข้ามถนน|ต้นไม้ใหญ่หน้าบ้าน|แอปเปิลบนโต๊ะ|ผู้ชายขี่จักรยาน|วิวทะเลสาบสวย|"
        "ผู้โดยสารเหนื่อยบนรถไฟ",
    ),
    "Japanese": (
        ["cp932", "euc_jp", "iso2022_jp", "utf-16-le"],
        "猫が窓のそばに座っている|女の子が二人庭で遊んでいる|犬が道を渡って走る|家の前の大きな木|テーブルの上のりんご|"
        "自転車に乗る男性|湖の美しい眺め|電車の中の疲れた乗客",
    ),
    "Chinese, simplified": (
        ["gb18030", "utf-16-be"],
        "一只猫坐在窗边|两个女孩在花园里玩耍|一条狗跑过马路|房子前面的大树|桌子上的苹果和梨|一个男人骑自行车|湖边的美丽风景|"
        "火车上疲惫的乘客",
    ),
    "Chinese, traditional": (
        ["big5"],
        "一隻貓坐在窗邊|兩個女孩在花園裡玩耍|一條狗跑過馬路|房子前面的大樹|桌子上的蘋果和梨|一個男人騎自行車|湖邊的美麗風景|"
        "火車上疲憊的乘客",
    ),
    "Korean": (
        ["cp949", "utf-16-le"],
        "고양이가 창가에 앉아 있다|두 소녀가 정원에서 놀고 있다|개가 길을 건너 달린다|집 앞의 큰 나무|탁자 위의 사과와 배|"
        "자전거를 타는 남자|호수의 아름다운 경치|기차 안의 지친 승객들",
    ),
    "English": (
        ["cp1252", "mac_roman", "utf-16-le"],
        "The cat’s bowl – full|A “quick” fox…|It’s raining in Łódź? No|Don’t feed the pigeons|A café’s window|"
        "The child’s 1½ apples|£5 for a naïve painting|Two dogs – one ball",
    ),
}
LENGTHS = (1, 3, 8)


def tables() -> list[tuple[str, str, int, str]]:
    """Language, encoding, captions and text of each."""
    found = []
    for language, (encodings, said) in LANGUAGES.items():
        captions = said.split("|")
        for encoding in encodings:
            for count in LENGTHS:
                rows = [f"images/{i:03}.jpg,{caption}" for i, caption in enumerate(captions[:count])]
                text = "\r\n".join(["file_name,text", *rows, ""]).encode(encoding, "ignore").decode(encoding)
                found.append((language, encoding, count, text))
    return found


def by_library(data: bytes, among: list[str] | None = None) -> str:
    """What charset-normalizer makes of bytes."""
    best = charset_normalizer.from_bytes(data, cp_isolation=among).best()
    return "" if best is None else str(best)


def by_import(data: bytes) -> str:
    """What an import makes of them."""
    try:
        return decode(data, "m.csv").text
    except MediaError:
        return ""


def main() -> None:
    """Print how many come back."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--wrong", action="store_true", help="list those that do not come back from an import"
    )
    wanted = parser.parse_args()
    ways: dict[str, Callable[[bytes], str]] = {
        "charset-normalizer": by_library,
        "charset-normalizer, among those that are looked for": lambda d: by_library(
            d, [*ASKED, "utf_16_le", "utf_16_be"]
        ),
        "an import": by_import,
    }
    made = tables()
    for name, way in ways.items():
        right = {count: [0, 0] for count in LENGTHS}
        for language, encoding, count, text in made:
            back = way(text.encode(encoding)) == text
            right[count][0] += back
            right[count][1] += 1
            if wanted.wrong and not back:
                print(f"    {name}: {language} in {encoding}, {count} captions", file=sys.stderr)
        told = ", ".join(f"{a} of {b} with {count} captions" for count, (a, b) in right.items())
        print(f"{name}: {told}")


if __name__ == "__main__":
    main()
