//! Generated names of people: no name is taken from anybody.
//!
//! Han surnames come by their real frequency; the groups that write given and father's (or clan) name with the middle
//! dot get such names; a few given names hold characters outside the basic plane.

use anyhow::Context;
use rand::Rng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Surname, its romanisation, and bearers in ten thousand people.
const SURNAMES: &str = "王Wang720 李Li717 张Zhang679 刘Liu516 陈Chen454 杨Yang309 黄Huang222 赵Zhao205 吴Wu200 周Zhou193 \
徐Xu145 孙Sun138 马Ma129 朱Zhu126 胡Hu116 郭Guo115 何He113 林Lin113 高Gao100 罗Luo95 郑Zheng93 梁Liang85 谢Xie76 宋Song71 唐Tang66 \
许Xu64 邓Deng62 韩Han62 冯Feng62 曹Cao58 彭Peng56 曾Zeng55 肖Xiao54 田Tian53 董Dong52 潘Pan49 袁Yuan48 蔡Cai48 蒋Jiang47 余Yu47 \
于Yu46 杜Du45 叶Ye44 程Cheng44 魏Wei43 苏Su42 吕Lyu41 丁Ding40 任Ren39 卢Lu39 姚Yao38 沈Shen37 钟Zhong37 姜Jiang36 崔Cui36 谭Tan35 \
陆Lu34 范Fan33 汪Wang33 廖Liao33 石Shi32 金Jin32 韦Wei31 贾Jia31 夏Xia30 付Fu30 方Fang29 邹Zou28 熊Xiong28 白Bai27 孟Meng26 秦Qin26 \
邱Qiu26 侯Hou25 江Jiang25 尹Yin24 薛Xue24 闫Yan24 段Duan23 雷Lei23 龙Long22 黎Li22 史Shi21 陶Tao21 贺He20 毛Mao19 郝Hao19 顾Gu18 \
龚Gong18 邵Shao17 万Wan17 覃Qin16 武Wu16 钱Qian16 戴Dai15 严Yan15 莫Mo14 孔Kong14 向Xiang14 常Chang13 欧阳Ouyang4 上官Shangguan1 \
诸葛Zhuge1 司马Sima1 司徒Situ1 令狐Linghu1";

const MALE: &str = "浩Hao 宇Yu 轩Xuan 博Bo 涛Tao 强Qiang 鹏Peng 杰Jie 志Zhi 伟Wei 俊Jun 凯Kai 峰Feng 磊Lei 泽Ze 航Hang 豪Hao 毅Yi 刚Gang 健Jian \
斌Bin 龙Long 洋Yang 辰Chen 睿Rui 铭Ming 旭Xu 翔Xiang 坤Kun 帅Shuai 恒Heng 海Hai 建Jian 国Guo 天Tian 成Cheng";
const FEMALE: &str = "欣Xin 怡Yi 梓Zi 涵Han 雨Yu 桐Tong 诗Shi 琪Qi 婷Ting 静Jing 丽Li 芳Fang 娟Juan 敏Min 燕Yan 雪Xue 颖Ying 梦Meng 瑶Yao 蕾Lei \
佳Jia 妍Yan 萱Xuan 琳Lin 倩Qian 洁Jie 莹Ying 思Si 语Yu 嫣Yan 可Ke 悦Yue 蓉Rong 慧Hui 秀Xiu 玲Ling";
const EITHER: &str = "子Zi 晨Chen 文Wen 明Ming 一Yi 嘉Jia 若Ruo 安An 宁Ning 乐Le 清Qing 心Xin 雅Ya 奕Yi 景Jing 君Jun 然Ran 星Xing 林Lin 云Yun \
希Xi 亦Yi 知Zhi 书Shu 瑞Rui 晓Xiao 新Xin 永Yong 春Chun 华Hua";
/// Characters outside the basic plane that stand in registers.
pub(super) const RARE: [(&str, &str); 4] =
    [("𬭎", "Hong"), ("𫖯", "Fu"), ("𬀩", "Wei"), ("𠅤", "Yi")];

const UYGHUR_MALE: [&str; 12] = [
    "阿迪力",
    "艾力",
    "麦麦提",
    "买买提江",
    "阿卜杜拉",
    "吐尔逊",
    "艾尔肯",
    "库尔班",
    "依明",
    "玉素甫",
    "热合曼",
    "帕尔哈提",
];
const UYGHUR_FEMALE: [&str; 10] = [
    "阿依古丽",
    "古丽娜尔",
    "帕提古丽",
    "热孜万古丽",
    "祖丽皮亚",
    "茹仙古丽",
    "迪丽努尔",
    "麦尔耶姆",
    "阿孜古丽",
    "努尔曼古丽",
];
const KAZAKH_MALE: [&str; 8] =
    ["叶尔江", "努尔兰", "巴合提", "赛力克", "哈力木", "叶尔肯", "阿依登", "木拉提"];
const KAZAKH_FEMALE: [&str; 7] =
    ["古丽扎", "阿依努尔", "萨吾列", "叶丽娜", "加娜尔", "巴合提古丽", "玛依拉"];
const TIBETAN_FIRST: [&str; 10] =
    ["扎西", "次仁", "旦增", "洛桑", "格桑", "索朗", "平措", "边巴", "巴桑", "米玛"];
const TIBETAN_MALE: [&str; 6] = ["多吉", "顿珠", "旺堆", "罗布", "朗杰", "加措"];
const TIBETAN_FEMALE: [&str; 6] = ["卓玛", "央金", "拉姆", "曲珍", "白玛", "德吉"];
const MONGOL_CLAN: [&str; 6] = ["孛儿只斤", "乌梁海", "扎赉特", "兀良哈", "弘吉剌", "克烈"];
const MONGOL_MALE: [&str; 8] =
    ["巴特尔", "苏和", "朝鲁", "那日苏", "格日勒图", "阿古拉", "孟和", "特木尔"];
const MONGOL_FEMALE: [&str; 7] = ["其其格", "萨仁", "乌兰", "娜仁", "高娃", "托娅", "斯琴"];
const YI_CLAN: [&str; 8] = ["阿基", "吉克", "阿苏", "沙马", "吉木", "阿力", "金古", "曲比"];
const YI_MALE: [&str; 6] = ["木呷", "拉且", "尔布", "阿铁", "史布", "伍呷"];
const YI_FEMALE: [&str; 6] = ["阿依", "乌果", "阿呷", "伍牛", "色子", "阿果"];

/// A surname and its romanisation.
#[derive(Debug, Clone)]
pub(super) struct Surname {
    pub(super) text: String,
    pinyin: String,
}

/// A name as registered and, where there is one, its romanisation.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) pinyin: Option<String>,
}

/// How a group's names are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Han,
    Uyghur,
    Kazakh,
    Tibetan,
    Mongol,
    Yi,
}

fn style(group: usize) -> Style {
    match group {
        5 | 41 | 43 | 50 => Style::Uyghur,
        17 | 29 => Style::Kazakh,
        4 | 54 | 55 => Style::Tibetan,
        2 => Style::Mongol,
        7 => Style::Yi,
        _ => Style::Han,
    }
}

/// The name tables, read once.
#[derive(Debug)]
pub(super) struct Names {
    surnames: Vec<Surname>,
    weights: WeightedIndex<u32>,
    male: Vec<(String, String)>,
    female: Vec<(String, String)>,
}

impl Names {
    /// Reads the tables.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut surnames = Vec::new();
        let mut weights = Vec::new();
        for word in SURNAMES.split_whitespace() {
            let latin =
                word.find(|c: char| c.is_ascii()).context("a surname without romanisation")?;
            let digits =
                word.find(|c: char| c.is_ascii_digit()).context("a surname without frequency")?;
            surnames.push(Surname {
                text: word[..latin].to_owned(),
                pinyin: word[latin..digits].to_owned(),
            });
            weights.push(word[digits..].parse::<u32>()?);
        }
        let given = |lists: [&str; 2]| -> Vec<(String, String)> {
            lists
                .iter()
                .flat_map(|list| list.split_whitespace())
                .filter_map(|word| {
                    word.find(|c: char| c.is_ascii())
                        .map(|at| (word[..at].to_owned(), word[at..].to_owned()))
                })
                .collect()
        };
        Ok(Self {
            surnames,
            weights: WeightedIndex::new(weights)?,
            male: given([MALE, EITHER]),
            female: given([FEMALE, EITHER]),
        })
    }

    /// A surname by frequency.
    pub(super) fn surname(&self, rng: &mut ChaCha8Rng) -> Surname {
        self.surnames[self.weights.sample(rng)].clone()
    }

    /// A name of someone of this ethnic group; Han names take the family's surname.
    pub(super) fn person(
        &self,
        rng: &mut ChaCha8Rng,
        group: usize,
        male: bool,
        surname: &Surname,
    ) -> Name {
        let (first, second): (&[&str], &[&str]) = match style(group) {
            Style::Han => return self.han(rng, male, surname),
            Style::Mongol if rng.random_bool(0.4) => return self.han(rng, male, surname),
            Style::Uyghur => (if male { &UYGHUR_MALE } else { &UYGHUR_FEMALE }, &UYGHUR_MALE),
            Style::Kazakh => (if male { &KAZAKH_MALE } else { &KAZAKH_FEMALE }, &KAZAKH_MALE),
            Style::Tibetan => (&TIBETAN_FIRST, if male { &TIBETAN_MALE } else { &TIBETAN_FEMALE }),
            Style::Mongol => (&MONGOL_CLAN, if male { &MONGOL_MALE } else { &MONGOL_FEMALE }),
            Style::Yi => (&YI_CLAN, if male { &YI_MALE } else { &YI_FEMALE }),
        };
        let (first, second) = (
            first.choose(rng).copied().unwrap_or("阿"),
            second.choose(rng).copied().unwrap_or("依"),
        );
        Name { text: format!("{first}·{second}"), pinyin: None }
    }

    fn han(&self, rng: &mut ChaCha8Rng, male: bool, surname: &Surname) -> Name {
        let given = if male { &self.male } else { &self.female };
        let mut text = surname.text.clone();
        let mut pinyin = format!("{} ", surname.pinyin);
        let length = if rng.random_bool(0.85) { 2 } else { 1 };
        for place in 0..length {
            let last = place + 1 == length;
            let (character, sound) = if last && rng.random_bool(0.006) {
                RARE.choose(rng).copied().unwrap_or(RARE[0])
            } else {
                given
                    .choose(rng)
                    .map_or(RARE[0], |(character, sound)| (character.as_str(), sound.as_str()))
            };
            text.push_str(character);
            if place == 0 {
                pinyin.push_str(sound);
            } else {
                pinyin.push_str(&sound.to_lowercase());
            }
        }
        Name { text, pinyin: Some(pinyin) }
    }
}
