"""Names for the statistics of columns: public lists only, no person's full name.

Given names: those borne by at least 30,000 persons in the national lists of the US Social Security
Administration, 1880 to 2025 (public domain). Surnames: common ones of the US census
of 2010 (public domain). Chinese names are told by ``sandbox.pii.names``; here stand the traditional
characters of common names.
"""

from __future__ import annotations

_GIVEN = """
aaliyah aaron abby abel abigail abraham ada adalyn adalynn adam adan addie addison adelaide adele
adeline adrian adriana adrianna adriel adrienne agnes aidan aiden aileen aimee alaina alan alana alayna
albert alberta alberto alec alejandra alejandro alex alexa alexander alexandra alexandria alexia alexis
alfonso alfred alfredo ali alice alicia alina alisa alisha alison alissa alivia aliyah allan allen allie
allison allyson alma alondra alonzo alton alvin alyssa amanda amari amaya amber amelia amir amos amy ana
anastasia anderson andre andrea andres andrew andy angel angela angelica angelina angeline angelique
angelo angie anita aniyah ann anna annabelle anne annette annie anthony antoinette antonia antonio april
archer archie aria ariana arianna ariel arielle arlene armando arnold arthur arturo arya asher ashlee
ashleigh ashley ashlyn ashton asia athena aubree aubrey audrey august aurora austin autumn ava avery
axel ayden ayla bailey barbara barrett barry beatrice beau beckett becky belinda bella ben benjamin
bennett bennie benny bentley bernadette bernard bernice bert bertha bessie beth bethany betsy bette
bettie betty beulah beverly bianca bill billie billy blaine blair blake blanche bob bobbie bobby bonita
bonnie brad braden bradford bradley brady brandi brandon brandy brantley braxton brayden breanna brenda
brendan brennan brent bret brett brian briana brianna bridget brielle britney brittany brittney brock
brody brooke brooklyn brooklynn brooks bruce bryan bryant bryce brynn bryson byron cade caden caitlin
caitlyn caleb callie calvin camden cameron camila camilla camille camryn candace candice cara carl carla
carlos carlton carly carmen carol carole carolina caroline carolyn carrie carroll carson carter casey
cassandra cassidy cassie catalina catherine cathy cayden cecelia cecil cecilia cedric celeste celia
cesar chad chance chandler charity charlene charles charley charlie charlotte chase chelsea chelsey
cheri cheryl chester cheyenne chloe chris christa christian christie christina christine christopher
christy ciara cindy claire clara clare clarence clarissa clark claude claudia clay clayton cleo clifford
clifton clint clinton clyde cody colby cole colin colleen collin colton conner connie connor conrad
constance cooper cora corbin corey corinne cornelius cory courtney craig cristian cristina cruz crystal
curtis cynthia daisy dakota dale dallas dalton damian damien damon dan dana dane daniel daniela daniella
danielle danny dante daphne darin darius darla darlene darnell darrell darren darryl daryl dave david
davis dawn dawson dean deanna debbie debora deborah debra declan delaney delbert delia delilah della
delores deloris demetrius dena denise dennis derek derrick desiree desmond destiny devin devon dewey
dexter diamond diana diane dianna dianne diego dillon dina dixie dolores dominic dominick dominique don
donald donna donnie donovan dora doreen doris dorothea dorothy douglas doyle drake drew duane dustin
dwayne dwight dylan earl earnest easton ebony eddie eden edgar edith edmund edna eduardo edward edwin
effie eileen elaina elaine elbert eleanor elena eli eliana elias elijah elisa elisabeth elise elisha
eliza elizabeth ella ellen ellie elliot elliott ellis elmer eloise elsa elsie elva emanuel emerson emery
emil emilia emiliano emilio emily emma emmanuel emmett enrique enzo eric erica erick erik erika erin
erma ernest ernestine ernesto ervin esmeralda essie esteban estella estelle esther ethan ethel etta
eugene eula eunice eva evan evangeline evelyn everett everly ezekiel ezra fabian faith fannie fatima fay
faye felicia felipe felix fern fernando finley finn fiona flora florence floyd forrest frances francesca
francine francis francisco frank frankie franklin fred freda freddie frederick fredrick gabriel gabriela
gabriella gabrielle gael gage gail gale garrett garry gary gavin gayle gene genesis geneva genevieve
geoffrey george georgia gerald geraldine gerard gerardo gertrude gianna gilbert gina ginger giovanni
giselle gladys glen glenda glenn gloria goldie gordon grace gracie grady graham grant grayson greg gregg
gregory gretchen greyson griffin guadalupe guillermo gustavo guy gwen gwendolyn hadley hailey haley
hallie hanna hannah harley harmony harold harper harriet harrison harry harvey hattie hayden haylee
hayley hazel heather heaven hector heidi helen helena helene henrietta henry herbert herman hilda
hillary holden holly homer hope horace howard hubert hudson hugh hugo hunter ian ida ina inez ira irene
iris irma irvin irving isaac isabel isabella isabelle isaiah isla ismael israel iva ivan ivy izabella
jace jack jackie jackson jaclyn jacob jacqueline jacquelyn jada jade jaden jaiden jaime jake jakob jalen
jamal james jameson jamie jan jana jane janelle janet janette janice janie janine janis jared jasmin
jasmine jason jasper javier jaxon jaxson jay jayce jayden jayla jaylen jayson jazmin jazmine jean
jeanette jeanne jeannette jeannie jeff jeffery jeffrey jenna jennie jennifer jenny jeremiah jeremy
jermaine jerome jerry jesse jessica jessie jesus jewel jewell jill jillian jim jimmie jimmy jo joan
joann joanna joanne joaquin jocelyn jodi jodie jody joe joel joey johanna john johnathan johnnie johnny
jolene jon jonah jonathan jonathon jordan jordyn jorge jose joseph josephine joshua josiah josie josue
joy joyce juan juanita judah jude judith judy julia julian juliana julianna julianne julie juliet
juliette julio julius june junior justice justin justine kaden kai kaiden kaitlin kaitlyn kaleb kali
kameron kamryn kara karen kari karina karl karla karter kasey kassandra kate katelyn katelynn katharine
katherine kathleen kathryn kathy katie katrina kay kayden kayla kaylee kayleigh keegan keira keith
kelley kelli kellie kelly kelsey kelvin ken kendall kendra kendrick kennedy kenneth kenny kent keri
kerri kerry kevin khloe kiara kim kimberley kimberly king kingston kinsley kira kirk kirsten krista
kristen kristi kristie kristin kristina kristine kristopher kristy krystal kurt kyla kyle kylee kyler
kylie kyra lacey laila lamar lana lance landon lane lara larry latasha latoya laura laurel lauren
laurence laurie laverne lawrence layla lea leah lee leigh leila leilani lela leland lena lenora leo leon
leona leonard leonardo leroy lesley leslie lester leticia levi lewis liam lila liliana lillian lillie
lilly lily lincoln linda lindsay lindsey lionel lisa lizzie lloyd logan lois lola london lonnie lora
loren lorena lorene lorenzo loretta lori lorraine lottie lou louie louis louise lowell luca lucas lucia
lucile lucille lucinda lucy luella luis lukas luke lula luna luther lydia lyla lyle lynda lynette lynn
lynne mabel mable mack mackenzie macy maddox madeleine madeline madelyn madison mae maggie makayla
makenna makenzie malachi malcolm malia malik mallory mamie mandy manuel marc marcella marcia marco
marcos marcus margaret margarita margie marguerite maria mariah marian mariana marianne marie marilyn
marina mario marion marisa marisol marissa marjorie mark marla marlene marley marlon marsha marshall
martha martin marty marvin mary maryann mason mateo mathew matilda matteo matthew mattie maude maureen
maurice maverick max maximus maxine maxwell may maya mayra mckenna mckenzie meagan megan meghan melanie
melba melinda melissa melody melvin mercedes meredith merle mia micah michael michaela micheal michele
michelle mickey miguel mikayla mike mila mildred miles millie milo milton mindy minnie miranda miriam
misty mitchell moises mollie molly mona monica monique morgan morris moses muriel mya myles myra myrna
myron myrtle nadia nadine nancy naomi natalia natalie natasha nathan nathaniel neal neil nellie nelson
nettie nevaeh nicholas nichole nick nickolas nicolas nicole nikki nina noah noel noelle nolan nora norah
norma norman nova ola olga olive oliver olivia ollie omar opal ora orlando orville oscar otis otto owen
pablo paige paisley pam pamela paris parker pat patrice patricia patrick patsy patti patty paul paula
paulette pauline paxton payton pearl pedro peggy penelope penny percy perry pete peter peyton philip
phillip phoebe phoenix phyllis piper presley preston priscilla quentin quincy quinn quinton rachael
rachel rachelle raelynn rafael ralph ramon ramona randall randi randolph randy raquel raul raven ray
raymond reagan reba rebecca rebekah reed reese regina reginald reid remington rena rene renee reuben rex
rhett rhonda ricardo richard rick rickey ricky riley rita river robbie robert roberta roberto robin
robyn rocco rochelle roderick rodney rodolfo roger roland roman ron ronald ronda ronnie roosevelt rory
rosa rosalie rose rosemarie rosemary rosie ross rowan roxanne roy royce ruben ruby rudolph rudy rufus
russell ruth ryan ryder ryker rylan rylee ryleigh sabrina sadie sage sallie sally salvador salvatore sam
samantha sammy samuel sandra sandy santiago sara sarah sasha saul savanna savannah sawyer scarlett scott
sean sebastian selena serena serenity sergio seth shane shannon shari sharon shaun shawn shawna shayla
sheila shelby sheldon shelia shelley shelly sheri sherman sherri sherrie sherry sheryl shirley sidney
sienna sierra silas simon skylar skyler sofia solomon sonia sonja sonya sophia sophie spencer stacey
stacie stacy stanley stefanie stella stephanie stephen sterling steve steven stevie stewart stuart sue
summer susan susie suzanne sydney sylvester sylvia tabitha talia tamara tami tammie tammy tanner tanya
tara tasha tatiana tatum taylor teagan ted teddy terence teresa teri terrance terrell terrence terri
terry tessa thelma theo theodore theresa therese thiago thomas tia tiffany tim timothy tina toby todd
tom tomas tommie tommy toni tony tonya tori tracey traci tracie tracy travis trent trenton trevor trey
tricia trina trinity trisha tristan troy tucker ty tyler tyrone tyson valentina valeria valerie van
vanessa velma vera verna vernon veronica vicki vickie vicky victor victoria vincent viola violet virgil
virginia vivian wade walker wallace walter wanda warren waylon wayne wendell wendy wesley weston whitney
wilbert wilbur will willa willard william willie willis willow wilma wilson winifred winston woodrow
wyatt xander xavier ximena yesenia yolanda yvette yvonne zachariah zachary zackary zane zayden zion zoe
zoey
"""
GIVEN = frozenset(_GIVEN.split())
_SURNAMES = """
abbott acevedo acosta adams adkins aguilar aguirre ahmed alexander alfaro ali allen allison alvarado
alvarez andersen anderson andrade andrews anthony archer arellano arias armstrong arnold arroyo ashley
atkins atkinson austin avalos avery avila ayala ayers bailey baker baldwin ball ballard banks barajas
barber barker barnes barnett barr barrera barrett barron barry bartlett barton bass bates bauer bautista
baxter bean beard beasley beck becker beil bell beltran bender benitez benjamin bennett benson bentley
benton berg berger bernal bernard berry best bishop black blackburn blackwell blair blake blanchard
blankenship blevins bond bonilla booker boone booth bowen bowers bowman boyd boyer boyle bradford
bradley bradshaw brady branch brandt bravo brennan brewer bridges briggs brock brooks brown browning
bruce bryan bryant buchanan buck buckley bullock burch burgess burke burnett burns burton bush butler
byrd cabrera cain calderon caldwell calhoun callahan camacho cameron campbell campos cannon cano
cantrell cantu cardenas carey carlson carpenter carr carrillo carroll carson carter case casey castaneda
castillo castro cervantes chambers chan chandler chang chapman charles chase chavez chen cherry choi
christensen christian chung church cisneros clark clarke clay clayton clements cline cobb cochran coffey
cohen cole coleman collier collins colon combs compton conley conner conrad contreras conway cook cooper
copeland cordova corona correa cortes cortez costa cox craig crane crawford crosby cross cruz cuevas
cummings cunningham curry curtis dalton daniel daniels daugherty davenport david davidson davila davis
dawson day dean decker dejesus delacruz delarosa deleon delgado dennis diaz dickerson dickson dillon
dixon dodson dominguez donaldson donovan dorsey dougherty douglas doyle drake duarte dudley duffy duke
duncan dunlap dunn duran durham dyer eaton edwards elliott ellis ellison english enriquez erickson
escobar esparza espinosa espinoza esquivel estes estrada evans everett farley farmer farrell faulkner
felix ferguson fernandez fields figueroa finley fischer fisher fitzgerald fitzpatrick fleming fletcher
flores flowers floyd flynn foley ford foster fowler fox francis franco frank franklin frazier frederick
freeman french friedman frost fry frye fuentes fuller gaines galindo gallagher gallegos galvan garcia
gardner garner garrett garrison garza gates gentry george gibbs gibson gilbert giles gill gillespie
gilmore glass glenn glover golden gomez gonzales gonzalez good goodman goodwin gordon gould graham grant
graves gray green greene greer gregory griffin griffith grimes gross guerra guerrero guevara gutierrez
guzman hahn hail hale haley hall hamilton hammond hampton hancock hanna hansen hanson hardin harding
hardy harmon harper harrell harrington harris harrison hart hartman harvey hawkins hayden hayes haynes
heath hebert henderson hendricks hendrix henry hensley henson herman hernandez herrera herring hess
hester hickman hicks higgins hill hines hinton ho hobbs hodge hodges hoffman hogan holland holloway
holmes holt hood hoover hopkins horn horne horton house houston howard howe howell huang hubbard huber
hudson huerta huff huffman hughes hull humphrey hunt hunter hurley hurst hutchinson huynh ibarra ingram
jackson jacobs jacobson james jaramillo jarvis jefferson jenkins jennings jensen jimenez johns johnson
johnston jones jordan joseph juarez kane kaur keith keller kelley kelly kemp kennedy kent kerr khan kim
king kirby kirk klein kline knapp knight knox koch kramer krueger lam lamb lambert landry lane lang lara
larsen larson lawrence lawson le leach leal leblanc lee leon leonard lester levy lewis li lim lin
lindsey little liu livingston lloyd logan long lopez love lowe lowery lozano lu lucas lucero lugo luna
lynch lynn lyons macdonald macias mack madden maddox magana mahoney maldonado malone mann manning marin
marks marquez marsh marshall martin martinez mason massey mata mathews mathis matthews maxwell may mayer
maynard mayo mays mcbride mccall mccann mccarthy mccarty mcclain mcclure mcconnell mccormick mccoy
mccullough mcdaniel mcdonald mcdowell mcfarland mcgee mcguire mcintosh mcintyre mckay mckee mckenzie
mckinney mclaughlin mclean mcmahon mcmillan mcpherson meadows medina medrano mejia melendez melton
mendez mendoza mercado merritt meyer meyers meza michael middleton miles miller mills miranda mitchell
molina monroe montes montgomery montoya moody moon moore mora morales moran moreno morgan morris
morrison morrow morse morton moses mosley moss moyer mueller mullen mullins munoz murillo murphy murray
myers nash nava navarro neal nelson newman newton nguyen nichols nicholson nielsen nixon noble nolan
norman norris norton novak nunez obrien ochoa oconnell oconnor odom odonnell oliver olsen olson oneal
oneill orozco orr ortega ortiz osborne owen owens pace pacheco padilla page palacios palmer park parker
parks parra parrish parsons patel patrick patterson patton paul payne pearson peck pena pennington
peralta perez perkins perry person peters petersen peterson pham phan phelps phillips pierce pineda
pittman pitts pollard ponce poole pope porter portillo potter potts powell powers pratt preston price
prince proctor pruitt pugh quinn quintana quintero ramirez ramos ramsey randall randolph rangel
rasmussen ray raymond reed reese reeves reid reilly reyes reyna reynolds rhodes rice rich richard
richards richardson richmond riley rios rivas rivera rivers roach robbins roberson roberts robertson
robinson robles rocha rodgers rodriguez rogers rojas rollins roman romero rosales rosario rosas rose
ross roth rowe rowland roy rubio ruiz rush russell russo ryan salas salazar salgado salinas sampson
sanchez sanders sandoval sanford santana santiago santos saunders savage sawyer schaefer schmidt schmitt
schneider schroeder schultz schwartz scott sellers serrano sexton shaffer shah shannon sharp shaw
shelton shepard shepherd sheppard sherman shields short sierra silva simmons simon simpson sims singh
singleton skinner sloan small smith snow snyder solis solomon sosa soto sparks spears spence spencer
stafford stanley stanton stark steele stein stephens stephenson stevens stevenson stewart stokes stone
stout strickland strong stuart suarez sullivan summers sutton swanson sweeney tang tanner tapia tate
taylor terrell terry thomas thompson thornton todd torres townsend tran travis trejo trevino trujillo
truong tucker turner tyler underwood valdez valencia valentine valenzuela vance vang vargas vasquez
vaughan vaughn vega velasquez velazquez velez ventura villa villalobos villanueva villarreal villegas
vincent vo vu wade wagner walker wall wallace waller walls walsh walter walters walton wang ward ware
warner warren washington waters watkins watson watts weaver webb weber webster weeks weiss welch wells
west wheeler whitaker white whitehead whitney wiggins wilcox wiley wilkerson wilkins wilkinson williams
williamson willis wilson winters wise wolf wolfe wong wood woodard woods woodward wright wu wyatt xiong
yang yates yoder york young yu zamora zavala zhang zimmerman zuniga
"""
SURNAMES = frozenset(_SURNAMES.split())
# The Hundred Family Surnames (Song dynasty), and a few of today's that it lacks.
FAMILIES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦"
    "昌马苗凤花方俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹"
    "姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐"
    "邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁"
    "荀羊於惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武"
    "符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴鬱胥能苍双闻莘党翟谭贡劳逄姬申扶堵"
    "冉宰郦雍郤璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿"
    "满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰巢关蒯相查后荆红"
    "游竺权逯盖益桓公台肖漆闫付覃邸代苟仝佟粟岳"
)
_TRADITIONAL = (
    "陳黃張劉楊趙吳孫馬羅鄭謝許韓馮鄧葉蘇呂盧蔣賈鄒閻龍萬錢湯賴龔譚陸莊顏鍾關溫嚴歐單喬紀連簡駱偉麗強軍豔艷傑"
    "國華蘭鳳雲飛業寶慶興東貴榮學賢銘鈞銳銀騰達運遠瑤瑋瓊環瑩穎寧靜歡樂愛誠詩書畫曉輝暉燦煥燁煒澤潔漢濤淵潤紅"
    "純綺維蓮豐財賦進鋒鋼鐵鳴鶴鵬齊雙聖樹楓棟權啟堯婭嬌嫻實寬廣彥恆懷憶應擇揚會時曄錦鎮長義禮順綱緯瀟瀾靈珮滿"
    "蕭範禎頤穀勳齡儀倫傳佔務勁勵"
)
_SIMPLIFIED = (
    "陈黄张刘杨赵吴孙马罗郑谢许韩冯邓叶苏吕卢蒋贾邹阎龙万钱汤赖龚谭陆庄颜钟关温严欧单乔纪连简骆伟丽强军艳艳杰"
    "国华兰凤云飞业宝庆兴东贵荣学贤铭钧锐银腾达运远瑶玮琼环莹颖宁静欢乐爱诚诗书画晓辉晖灿焕烨炜泽洁汉涛渊润红"
    "纯绮维莲丰财赋进锋钢铁鸣鹤鹏齐双圣树枫栋权启尧娅娇娴实宽广彦恒怀忆应择扬会时晔锦镇长义礼顺纲纬潇澜灵佩满"
    "萧范祯颐谷勋龄仪伦传占务劲励"
)
TRADITIONAL: dict[str, str] = dict(zip(_TRADITIONAL, _SIMPLIFIED, strict=True))
KOREAN = frozenset(
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추"
)
