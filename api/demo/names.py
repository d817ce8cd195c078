"""Invented people and companies: names put together at random from what is common in each language."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from api.demo.chance import Chance

_SPELLED_OUT = str.maketrans({"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ø": "o", "Ø": "O", "ł": "l"})


def plain(text: str) -> str:
    """The text in lower-case ASCII letters and digits, hyphens for all the rest: as in addresses of mail and pages."""
    spelled = unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT)).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(letter if letter.isalnum() else " " for letter in spelled).split())


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is written, and as it is spelled in an address."""

    written: str
    spelled: str


def _both(words: str) -> tuple[Name, ...]:
    """Names from words such as `王/wang`, or `Jürgen` where the spelling follows from the writing; `_` stands for a space."""
    parts = [word.replace("_", " ").split("/") for word in words.split()]
    return tuple(Name(part[0], part[-1] if len(part) > 1 else plain(part[0])) for part in parts)


@dataclass(frozen=True, slots=True)
class Naming:
    """How people and companies are called where a language is spoken."""

    given: tuple[Name, ...]
    family: tuple[Name, ...]
    stems: tuple[Name, ...]
    company: str
    """How a company's name is put together, with `{stem}`, `{family}`, `{city}`, `{trade}` and `{form}`."""
    alternatives: tuple[str, ...] = ()
    family_first: bool = False

    def person(self, chance: Chance) -> Name:
        """Somebody's name."""
        given, family = chance.one_of(self.given), chance.one_of(self.family)
        written = f"{family.written}{given.written}" if self.family_first else f"{given.written} {family.written}"
        return Name(written, f"{given.spelled}.{family.spelled}")

    def business(self, chance: Chance, *, city: Name, trade: Name, form: str) -> Name:
        """A company's name."""
        pattern = chance.one_of((self.company, self.company, *self.alternatives))
        stem, family = chance.one_of(self.stems), chance.one_of(self.family)
        written = pattern.format(stem=stem.written, family=family.written, city=city.written, trade=trade.written, form=form)
        first = family if "{family}" in pattern else stem
        place = f"-{plain(city.spelled)}" if "{city}" in pattern else ""
        return Name(written, f"{plain(first.spelled)}-{plain(trade.spelled)}{place}")


NAMINGS: Mapping[str, Naming] = {
    "de": Naming(
        given=_both(
            "Anja Bernd Carola Dennis Elke Florian Gisela Holger Ines Jürgen Katharina Lukas Monika Norbert Petra Rainer Sabine Thomas Ulrike "
            "Volker Wiebke Jörg Annegret Tobias Heike Matthias Lena Stefan Birgit Felix Mirjam Sören Käthe Björn"
        ),
        family=_both(
            "Albrecht Böhm Clausen Dietrich Ebert Falk Gräber Hansen Ihle Jäger Köhler Lorenz Möller Naumann Ostermann Pohl Reuter Schäfer "
            "Thiele Uhlig Voß Wendt Zander Brandt Krüger Seidel Winkler Bachmann Lindner Groß"
        ),
        stems=_both("Aldoria Brennwerk Corvis Deltaris Eifelkern Frankonia-Nord Garvent Havelon Isarion Kieselgrund Lahnstern Moorbach Nordhal "
                    "Odertal Pergamar Quellheim Rheinfurt Saalbrück Tannrode Ufermark Weserkant Zellenau"),
        company="{stem} {trade} {form}",
        alternatives=("{family} & {trade} {form}", "{trade} {family} {form}", "{stem} {trade} {city} {form}"),
    ),
    "fr": Naming(
        given=_both("Aurélie Benoît Camille Didier Élodie François Gaëlle Hélène Isabelle Jérôme Karine Lionel Mathilde Noémie Olivier Pascale "
                    "Quentin Rémi Sylvie Thibault Valérie Yannick Zoé Clément Maëlle"),
        family=_both("Aubert Bellanger Chauvin Delattre Estève Fournel Garnier Hébrard Jacquet Lacombe Marchand Nicolle Perrault Renaudin "
                     "Sauvage Tissier Vasseur Berthelot Coulon Dufresne Guérin Leclair"),
        stems=_both("Altéria Boréliane Cévéa Durancia Estérel-Sud Fontanéa Girondelle Hexavie Ligéria Mélisande Novalys Ormévie Roselia Solognia "
                    "Valmarine Vercoria"),
        company="{trade} {stem} {form}",
        alternatives=("{stem} {trade} {form}", "{family} {trade} {form}", "{trade} {family} et Fils {form}"),
    ),
    "en": Naming(
        given=_both("Abigail Brandon Chloe Derek Emily Frank Grace Harold Imogen Jacob Kayla Liam Megan Nathan Olivia Patrick Rachel Samuel Tara "
                    "Victor Wendy Zachary Priya Malik Aisha Diego Hannah Owen Ruth Marcus Fiona Callum Siobhan Anita"),
        family=_both("Abbott Barlow Crawford Dalton Ellison Fairbank Granger Holloway Ingram Jarvis Kendall Lockwood Merritt Norwood Osgood "
                     "Prescott Ramsey Sheldon Thackeray Underhill Vickers Whitlock Yardley Okafor Patel Nguyen O’Rourke MacLeish Singh"),
        stems=_both("Ashgrove Brackenridge Coldwater Dunmere Eastmarch Fernhill Greywick Harborstone Ironvale Juniper_Ridge Kestrelmoor Larkfield "
                    "Millbrae Northwold Oakhaven Pinecross Ravensholt Silverbrook Thornbury_Vale Westmarch"),
        company="{stem} {trade} {form}",
        alternatives=("{family} {trade} {form}", "{city} {trade} {form}", "{family} & {stem} {trade} {form}"),
    ),
    "es": Naming(
        given=_both("Álvaro Beatriz Carmen Diego Elena Fernando Gloria Héctor Inés Javier Lucía Manuel Nuria Óscar Paloma Raúl Sofía Teresa Vicente "
                    "Ximena Andrés Pilar Íñigo Begoña"),
        family=_both("Aranda Benítez Cabrera Domínguez Escudero Figueroa Galván Herrero Ibáñez Jurado Lozano Márquez Navarro Ortega Peñalver "
                     "Quintana Robledo Salinas Tejada Urrutia Valverde Zamora Ibarra Muñoz"),
        stems=_both("Alborán Brisamar Cantabria-Sol Duerana Encinar Faro_Alto Guadarria Hoyamar Jaramea Luzbel-Norte Montearal Noguera_Alta "
                    "Oliveda Peñasol Ribermar Torrealba"),
        company="{trade} {stem} {form}",
        alternatives=("{stem} {trade} {form}", "{family} y {family} {trade} {form}", "{trade} {city} {form}"),
    ),
    "it": Naming(
        given=_both("Alessia Bruno Chiara Davide Elisa Fabio Giulia Irene Lorenzo Marta Nicolò Ottavia Paolo Raffaella Simone Tiziana Umberto "
                    "Valentina Cosimo Ginevra"),
        family=_both("Amadori Bellini Caruso Donati Esposti Ferraro Gatti Iannone Lombardi Marchesi Nardi Orsini Palumbo Rinaldi Sartori Tedesco "
                     "Valli Zanetti Grimaldi Fontanella"),
        stems=_both("Adriatica_Nova Brentella Colleverde Dorabella Etruria_Sud Fioralba Lagomaris Montelupo_Alto Padania_Est Riviera_Blu Serravento Valdoro"),
        company="{stem} {trade} {form}",
        alternatives=("{family} {trade} {form}", "Fratelli {family} {trade} {form}"),
    ),
    "sv": Naming(
        given=_both("Agneta Björn Cecilia Elin Fredrik Gunilla Håkan Ingrid Johan Karin Lars Märta Nils Örjan Pernilla Sven Ulf Viveka Åsa Östen"),
        family=_both("Åkerlund Björkman Dahlgren Ekström Forsberg Granlund Hedström Isaksson Källström Lindqvist Nyström Rosén Sjögren Törnqvist "
                     "Wallin Öberg Sandell"),
        stems=_both("Björkholm Dalviken Fjällsund Granvik Höganäs-Nord Kvarnå Lövsta-Berg Norrmark Skogsjö Vätterås"),
        company="{stem} {trade} {form}",
        alternatives=("{family} {trade} {form}",),
    ),
    "zh": Naming(
        given=_both("伟明/weiming 晓燕/xiaoyan 建国/jianguo 思远/siyuan 雅婷/yating 志强/zhiqiang 梦琪/mengqi 海涛/haitao 丽华/lihua 子轩/zixuan 欣怡/xinyi "
                    "文博/wenbo 秀英/xiuying 俊杰/junjie 雨桐/yutong 国栋/guodong 静/jing 磊/lei 娜/na 浩然/haoran 佳慧/jiahui 敏/min 春梅/chunmei 鹏飞/pengfei"),
        family=_both("王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang 黄/huang 赵/zhao 周/zhou 吴/wu 徐/xu 孙/sun 朱/zhu 马/ma 胡/hu 郭/guo 林/lin 何/he 高/gao "
                     "罗/luo 郑/zheng 梁/liang 谢/xie 唐/tang 许/xu 邓/deng 欧阳/ouyang"),
        stems=_both("启岚/qilan 恒澜/henglan 博屿/boyu 瑞湖/ruihu 锦沐/jinmu 云栖岭/yunqiling 华岑/huacen 远峤/yuanqiao 泽宸/zechen 盛垣/shengyuan 嘉砚/jiayan "
                    "明淮/minghuai 鼎沅/dingyuan 安澄/ancheng 天弈/tianyi 润禾/runhe"),
        company="{city}{stem}{trade}{form}",
        alternatives=("{stem}{trade}{form}", "{city}{family}氏{trade}{form}"),
        family_first=True,
    ),
    "ja": Naming(
        given=_both("健太/kenta 美咲/misaki 翔/sho 由美子/yumiko 大輔/daisuke 陽菜/hina 浩二/koji 直子/naoko 拓也/takuya 恵/megumi 隆/takashi 彩/aya 誠/makoto "
                    "さくら/sakura"),
        family=_both("佐々木/sasaki 山口/yamaguchi 松本/matsumoto 井上/inoue 木村/kimura 清水/shimizu 斎藤/saito 森/mori 池田/ikeda 橋本/hashimoto 石川/ishikawa "
                     "前田/maeda 藤田/fujita 岡田/okada"),
        stems=_both("青嶺/aomine 霧島川/kirishimagawa 光岬/mitsumisaki 北陵/hokuryo 白樺野/shirakabano 南海堂/nankaido 桜沢/sakurazawa 月見原/tsukimihara"),
        company="{form}{stem}{trade}",
        alternatives=("{stem}{trade}{form}",),
        family_first=True,
    ),
}  # fmt: skip
