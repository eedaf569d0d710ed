"""Files that Keras 3.15.1 wrote: one small model, in three formats, with weights that waves gives."""

import base64
import zlib

# The model: Embedding(5, 2, name="words"), Bidirectional(LSTM(2, return_sequences=True), merge_mode="sum",
# name="both"), GRU(3, return_sequences=True, name="top"), Dense(2, activation="softmax", name="out"); its weight n
# is waves(shape, n + 1), and its output for the tokens [[1, 4, 2]] is EXPECTED.
EXPECTED = [[0.32174942, 0.6782506], [0.34178707, 0.65821296], [0.3739998, 0.6260002]]
SUFFIXES = (".keras", ".h5", ".weights.h5")


def content(suffix):
    """The bytes of the model's file of this suffix."""
    return zlib.decompress(base64.b85decode(_PACKED[suffix].replace("\n", "")))


_PACKED = {
    ".keras": """
c-rk<Uu+Y}8DBeuIB>ZOIw}&BQe$)_MZsq~#3bo8&T$C@C0tShSN9IItmBQnu=YB;>yX@CL@FUQ?VVJlwh|Bba3}G=Lm#5{N_n`(sC_6;E!C-N
B&w=XAFB4@nukh7)k$<_cgEfsum8k0u|ww5g}wQ=^UXKE`M#OoEM#iDY1e+vl*8Q1_r{M5ga3m+ZQv&%>Oxe|1@Bc&NxtW~CaQwQ&x@)iDM`<u
+tcgy_j&!E9=8Y75_wIS7o#vg;0pwg`~AlQ1H=CQ!Cvs+3D43L(bd`)haTVT<T&`V7v#(+$yq6eI!Y+fv@F6m8C}8-W@JIr_@t09vZuwlw3yT-
K{m>awjlpK53ZmQ6?9dQl0w9IrLLw$sIb165{)J$I~%zGs!l1gG_zQsw^>;c^xlAH2^6bhOwx2w6{GkC$+Rqk0xd4UOeJzvoY8p+8p?md7d&y&
9|#N#^!o;au(>QO0{eopck(pzqOv>%&n8o8eF7Fz`b7kNCeDM7jiJ6{Dgyt!Y_ULAd#GbdP&Jr2E65r&lPbhw#+>2|+@}Ql<YnBclF|VtfVEN0
!j=Ff<&SJM5fP(NDH$tZ`0I)q)f!`lVToy!sFVPCeb6dtJ(m#x86qB!#!E>F!c%$|7|=#Zuch2Z<MTo?sw6HZrCCKyP&#X(F=GgJ2`M>m%*%0~
*9VnK2n%KgOcx)IMO{!SEek4A7rk4U(WQAwU$if^v<BK~#uVum#RTmd4;m;Ibj_s&uxQ^EAei{<kgz%hmsTV#$x+^70&^nlfWNdU{GF1bk_wiq
iEVpmL=-)~&74d^RAV9!bTWNq+CY%GmIpUsor&oS=L#vSsMiHG%FCLbXq@$_ih5d2@@8<D5w)B$xI_nW%!0?5!bgOeYj7x<CEKVro0ctE>7=U2
)(nVj9ytJD4IaWh*Iyc}ZVfpFV-*>Yha=I2qyZ-YyR@o;7{-(3niNYYU}E7*G?9-;f@K)Meo0ZT(zl$E6;;v8@h#>u6BZ0hqC7NYOJ=2j^#%I+
`}~0=!Wh*JZBo_aO3Y?4ljDj3utG(=zG`$2^cjl{&QO(VzYVaYks4Q{*h$}sC4@l;&6ud$!^qaF=cdB8*cfdE!2)$@7btQ)+Lam|+7(1qB?Z7}
20G$3bctp1YZPXB+yNufc(C{2YwBHdZ+))ZE2_-A>(+SJU~nMl+os+%7(`C2(Y$N$q`xn~yz3Tt*BZO(@*VS;^A`)aNnJ^8vy(sr?1*#qO{d+<
oOV(FG7#9dPTMzdq9L93$w1KDtM4$^tcn_lPQt8iD1^6P&ulkbzKb0ZlbTq-`@sQhFDF}gJE|$OdO}!uE<9H~7IvvMTX<0xS#|{%)-z`(d)&QX
p<K?kDMDk`iViglok&TtXlbxyxvcr)PnIqp{pC&PojHz!Kke{dNQsKF_qr&>;=1OI_x)gO<aFDfgL{kyE*H1UsFjnaNML(w8kb)|PX~IgpyypD
&UYAP9VmYvdOuz7!uiorSo<j@xSzi@n@<<VWGBkl=<8GP8AfT0r-x3m-n^h{@M(sp94?0|?AO6H5%_IK`0Z{X@o(anD~Mkv48K<VVn4RhOykXz
sT%b={pRF|gL7uR`pN;apH-B8)Jf{)ZX)ZAp>(`?XU-pvTeKZsK%T|HHFNuc^<X%M=}w2kXwjavp^LC547e*TIUApOV{*d5p$1evD7mj9%rtg;
csh*hbnry#fjDjoyyCQ`+i<>>hqk<@6+K}#KO@ShJ8n0J$7_o9mJp^}O0>tg!ush-il~pvV`|!Hwuh<@wzI^1tiQ;73KJ$wm@r|&gb5QSOqej)
eo}}hr}>#uJh|(u=ChlbbVmx!GxnqBMkiS>`-MMBN35UAa|RD%<VWFkE|=q@+?&L2>Y$mv)m0vT+Ycigv#DhG<+5}rx7tP4!}mN{e!9wjO`d#L
7Qg+kU|gGW1*Mmdnol3f|IaL0uL~`x*CZ0hV+YB4^t!<Q+BZ$s3#0VH#qAQu?C;CM9%M(ZJU_5;g!uvH2lD;EeJTL?IC8zz#t%5MxSKjezJCFw
Z@bwX6%!o)X?s<AUk2}|@O_yRwRc!5IFJW*I33ygxUOBg33w=2bD#Tb=x)r-9dL06Ze;7bjB=;be4z_@v?j;HBlbJ&g}U1N&eiXPe)YR}=(pc%
ANs?uU(d9^pU!;v(vQ|o`?^CvJ-rkPI6fbGGO{;A<NLmcVYQa$HF}>=D$d<M#^M}{bGbN&<JreY?f1Ln-%7LG!<)&hzw9oFU;BL;*JHO&W8XC~
DG$Hck6k%N;|=YnYSgb8$C|SH!Ye&wKPxDG*Guvi4?|?V4U}#_Me6_LC|S>q7S!;u=X0M%kFU~w+AhmJt*J<yr01vP_rHD?Cz+qI`To~yA1Cpr
XV2{W-(D6cnN%MqSNvNMCoSLq_LBXqqV%IaQZM(b6t9BPasSTdGiW<h8YkN<adKCYI7!b>$@{+n7AKjX$>&Ws`t0Lmt$5QyadK+VE>0H4FZUW5
-<j-e{Ni)lYCl;I^CUPN1*rJhUs0UQ@uFiv@_i|kzSYm>sGK-S+pE$z*=mWC&0J~T-%0JS=yc`0|ATMZpCszb`xoN*FFn1HS-;ep@wopyq~2Z%
jVyjW)E@uw+AD|VGrt%f&Pa=$Ll5ssA<Uy-`>YO@=nt=tZxyeH{rBymoq_xM;W9kbh`6i<lkKm*70S1#IbMguLD;Q&``rzZkp|03L*c8GEeo9=
XnwQQ{%dTMogdi#E1zfcovIJdcI!0b*_c$%vu%uQEzh=bn(U|J3_6#bCG}c4Me%Vc{b*!opC4#DRC<1R!E%1sU4&<&=ciPhOii#j$^1+{&lWyg
AD-?0xy|ux@kz$BG5qH9Y#kF@%d@SXCEvG>(oe?O9F-F%X?xXzXKSe|pV2+ph<rvl-_{o6H)x)%<IVDTw$-WfcsA}l<Jq1qE+2fm5ph`!CL!mx
bv#@9^mgFcO4+i|`GNj>TBY`1t6_G2VEeCpp6&L<`tWQ|zRP$vCe`z7;qcb-Y~i=bewI=C<4dGo8y6`)?k#kF3GeLl18s*&&ks$O^Mk7h&qmKr
sW`dLvpC88Og_){;8J~fHn*@jo^3tCcs7RLe4cHY-&&rn<1+caVU)hYvpFg!PSW<OG)}rKak6z2d`2t9XS7y*9={c__muVJGb;UF=qt_pKKsWf
;mntx$1?rjZ&{=Hwq>C_zRevik8k@(WPBUm_mOz46+V5)!g535vliHNoqQwo;-B=;u}^<E^v}P4BXj59?`L-Z_4jM%j<tmb{&yqv-?^61Zw4Q)
)z3HlY_<`7L#^yy=xjp&+fAkRcDl^YCTwq)e>S-!)#q&TSz>c%lM#i~o5{|`FUC`sT>NZOEeB1XO+J;#_x=T?zr4ogsGPG2ZLeBzczZUn_j6Kv
zv};utscdmHL36ZqtM<1bJ7^kUCHv!8Xu+@hKrvy$h&A~&G7Znoc+$NvF@TV)~3cC&izgMQSM>x<$L2thLQhmv(#TUMwt+GAu8yC_o}8O>85L6
9D01SljGpeUZN@V9p<l*%xh@(dn9uWI}YamR>`UH=H2EDHE}-&&wqUYQ~w8H9?Jv
""",
    ".h5": """
c-rk<Uu@gP8K)%wkrO+Sn;Lc3A`=8`a2v-~oTPPw&QcO5akqH!@~3l`7z{1Z5)+D4_{Wi(IPrr0af$&8Fbwdc2lOG21~zPY*rH&2n4dNS#V`W{
h5#F|?P+;iF$~Cf<ekVnk`g7$ty14Tgt_B)ci$a<-|z1Gc%tu5jGyk=^`%`5NYN<M#>5zBdJfa-eLRouUxn8Yye`A*!!RmuH}Cbs@)&GC9>FVK
Jb&sG$UG-fMUesP5@l%GiD}~0@hNbfhIxdi^)N11kh8qV-sFW`UQ->oOgGqXFT^W}>uzQO!gmkzvVqF$yuzvMJg=yNEE(mmhC*h|SVe~@W+xpE
Fo(?c((wOLv%Og^bDfv6HQQ--v=hek>M`4~<|89Zb3%?W^<t{FC-vFwMa=RJPy2n^VdbAO!R&Wp(7MJcl&SqX>~XmRmz$NfJh;lbX67}yXkKs1
N>;V<tjNzBn8qzVMDPMb;C12+E1zeO{Vqe?cN=!n&xqUtudotV;8muoorJ7h8*Hb|!wx%9dDOP`h$G)d<lC#-KNHygqh@);(_SAOgnUWN&zY0w
&W0R@iSd(>4i6nVI&{e5mP&u-b5JsQG!DcYM!J>Ah@7gLGnqIRPh8+{=)9x}oR}DlCoCQ^%5No*fQkud3MWY1tO#ytiq0EFS#6=nn^lY_uA6rf
Cfk|~Vx5g&G(@LlQOGR#^fo8ToOXC5v1r^@_?)0>yuxQu1ClO^;Eo9f)hM`34(C0osB34zZK8u&PRrz3HP4y4UIr}<n(fUvhEVC=C{v4^qJqLX
PE^4-6)u<KvyKAPrvUn7MbxQW)Qly@m@X)}XlP8Td8#nWXS0Ho^O*+Inp$VRtr2F0f>Cx93{ltYf)S&DN8?dhK@tF1gb$6`@KAEdao<DZ^PH5G
3zsBePF4zp&MI$CzxC)61wooOC;4D<C<&A*a3!k%<g1Uzp{^mMi<|=0g>7>gO_&$71@F6#+J<(j`G_=!Vw`%NH7dvssNB#w!-PKM05aIhkW6(v
&~ZY@3JRZrF!FwIfQMTLAO&8@@h0P&l%boC&awzE3_$yJsdM(i#YsOsWaTEOWLZ(w3avA4h1YaNVl9r$@T#p0x}$NLlSFbd3sw#=6xC5|ip}Yw
qezz&S#%ZvNU_lJjM-oT&g}kl!>m+jjV63etbvheoMa-!K$Na129>k;eO1U6WFZSgbd_gk1<o-HWBw##72ldspAlt6)`A$dMKoN=oJm*)hwLb<
^-Rz>x2E+uMa#=M4->>y&KWo~a)*YJ)zt#?x<!q?V<14qm8sq*00qEGj@P`Ot0%wN6X<!{97qGS3A^;7OuI*~yJm-8H?oRcG|*vDKGqC*$MMMg
XAE?u3u2aaJZlS(9@~b&_{hwn`COqnvrVNtyVWlg-$7wYca-iZ-Mx5p=e1cqbN-SKrD$@I?$jLAWy@RKb(nG&<u26c4r3^VR}GTp<}_0wv@LMZ
mIu>}^ODN@kN{}AWw^$FbE3*~T7fHlVGOv{EXCgxs({@W&efteGnM7jcg-{wOgsJ@sl;WASezD>qj-7;5w}M1_D&+ci{kB3pSW+APn>uc%n!k<
9o`)VT@7Q7$1wPZ&G4c)Y|S6T?1uG5>#T26fz?tstUp+1JK$jf`5svBfKPpAyvU<Evj^6DyT1D5Fqplt{=xd%LDN}zo4?Op-++XzZ!f&x=Pg%h
?<IKub+?=Wz2Tgq;}fwDe|_&OPY(QLD8Ii(J){`Y`!%<`3FToss*1h;h<4I<b2QOJ6HPSjymaB4=f*?ksRMXErwu;`Fah)V4mwvs&WVxpRr{P6
6Zo81SAcU?{fFo|NqWx8eNOV(0bI`BALI6(-V%?rS8%t{iMP83&tGjEK<ARIlzbnTn}+$)G@*YMm+R-DpP0k_i_#BpxmB2dvW%ZU+$`a8%mTcB
t2KCpoUd-?q2pX<KVzMHvk$D*I<MA2`0EE9B(WFysW86>`MogTgZz1z--Y~hnBR^3>?qO|=n%rrp`mdt!N9<3GT6D%_)*Gdl+SEFL%i`M>3wdr
vTtefzG!*~=L-_YG<hdK9#|f+@(+&$<AH&9C=XB`uz3Kj_v=S+IcGf7<OOG(*I~cO26^D>2+ji}j%lio2Ohiy_lKjwcp&*T$^(=K-2TnRC@xod
6~Z*rzX{v^$kz#f<Qvc*nZ)s#e+!o*@lJWb;(?W8R{qhu!FXUfh3^Mx+SxpS*7MDGaXIvU(Dh;!`3>+rWr)~U1l<o5kKy)B;+Q5s9<Y8FjwUVy
XFe3R3efM(&^(j*h`}I0vN!%^c$Oi~yb@(zxeM=uNEEmq4qFXIA>%|s8)@&Ap!B)UhlQ(11%FT9t1ge`p)^)q4)Np0#LmFguYR9T{qDQ5u|NLi
csX`kFaK!oj~|~-4y1m1dNDN;`ef|W@!jPs&+nEuuXL3Y@js6#D~qY|g|DV!`JX)g%KrKCR_gvdoi5j^+i1JO!mDHJzZ6nisT&)9KUJ%)Ut6fG
(SG~ddw>0ppG}wl_erii`oqr0&1fU~_Q}+qKWV8qfAP`Szy9_{`Qv}zE_eL(5059`>`A@z-@B>*+~`dG_Sjz@H>;nIuYEfe1YeZhX`+cHns(B@
GIqQb_m%GXu=GXm1*1(H{}dd5oX}wTg@`|p@ta!lhvF2CL(=$zI}SNLxxH~nKm2aOem^}I48QB=Y5a`h*Bw9WpZaX$XKRzVU644Ysnzy5#g^RX
knywlrC{;1N8bt-KZ{+YxY}M^t?lsr^RpLZ|LpyJxo6Y3wzc*jqgUwuneIQ_`{$KuT&~&Yl+k{fJZIbuzYN*v`PwkShkXukgWp!}bL3-H_VKG9
SotTHgV|B~DzzhONAB~nPcP$g==a~-bw0NA0dAipj%ljTpMN+5{d6`M53I~m9-utnUQhqYdi(RF-=1y~4=l~#JV4@@rpElP2(iC#=No=+aRNt7
EBW(bdp*kp^XHd2ilut|*KpHtG;qRu1$r_3*ERS%!j*vjYxFu@Z|QpL@%|_G+4!&I?_awiUpMN%Mu>G~zXROhTRa1fJn&^-cjRBHvX3poKe+JV
S}?nc$<(f>UAg_)wQIN>`p(&Q`Lh#w++Il>(^Q{7TY~(zA_e1tewFe7<pKBl`bfg%(1+k`{598~og&t462~;v#{)|iZ8NJ%FdiuC_&Pw-&gKDh
PUVS$%Wd~LmFXhR10;@V3L1a#K2Oj^#38!29FItz@ZK4=);X2+o7Lqj-yP7Z%OQSzG*5Bm^kcgSzjo`mDnVR{ErqMk&(8kdl6K}7=UcgjYgcRk
v2lm`A$0%Y_CwOdcjC4y&PRTit{ZC7Xq+!Z_(`uhz};76-#&U9?t|_GvzyI()NZKVxZ`-GJGdPBI|JJl$BW&@@lN8HruzK%^b*{U-V4S9$?sDh
pgiDSKbP*|a^#<9Xm%X0e~D<9z%fmY`4#PiKSAaj_bUcZdPizn!GCvrFa3KIBhB>BM(<nsJm#M<zUvE3bbWEIFUT&RE|Yk((o~cBt(?~<zAtWn
@88=$>y4+Nj%nt|Zsy2y7??u-8JYeMs$(rC
""",
    ".weights.h5": """
c-rk;Uu;@c7{3=vfx1qbXx24zVz)LpHLcZj)MZ?@(vBwGhIVe4G%FNnVWZFj{g-TMeG-j{O^it&HQ7TSn`o2=Ek+;YNt-N25)-pT6X%n>*%*^r
xaYt<=fb`8!hntM_j33y-@WJXo$r3%cYfzy-nZLE+uOR@m@ITUriC#uLhK_Lmq{6a??Nq$+Bj;rRQNcX`>qom??Bh5^{%}&GLqHar-1u;py68`
187FrM=m(BtrN-EpHeDPZ^<2rX4{~9)tCK*{nDziUzSl5{%b(~YtoYb&-*V^(tiQqze4}TaV)N({f&pCO8rh;xoTq>RX(c6wPZiov5j5ixQuF2
&yHljra9*i=PlX}M^I#884dHyf%QV}IbT*j&a$~P40#*s2z#~(jLk~qNqT-t>20F#6DOqOmb06TTbG8fj<XCJC_TOdM12d3zECXS4)QV%x7ZDq
!x3*b;3Bge)DJwS!!f^5ZpX*np4-drh<7R&jm-(JqepG_@RY|FMBOp147M|mnQ%mSI-`|2ANw;NUo1RN=;QBaBa6Ay+9>_-VvO*E^ihaq00000
000000001Z{2<4>_dmzCCNNb~g61vFsI_*HdcL`7pVu1*%_4a^;0;84o>(9p%27wNk;U9`uP+qM5@eWXGAi^-!wY;1`$6EBIe$QH`UI(m_k;30
c7^@&e0ocPSAB(V@%7C}cJ`t8iH>gsNxcM;(;?E2w<&&}=5=u#PQ63wWsq!`d@}M*>Ls|p;r<ri-w7&V;QOn(_cxpOyEJt_uAD^or4i;x3V2_N
wwKcVGL0Y@sL=VWK!HV(kyWt;eMY=rg=O_Y1kY-A7@tRbR7U2QjyblL*VpB~SE=|5>QKa2v#C?XE8>;9+WX$E8{Ahv__^=jHCTT7=0ehNXEFKV
(;w}O_M5m*M(=V1?0w6g?WvN-C->Kq=}CRE+xUwmvU!)Yt@d&T|HnH$Czq0+Tdm2!>Tyfz%K%r&xrV;$oZPwP{06E1DmgbhR=IPP{_bZr9bf<X
nKSv{{n@1XJ?&04uAw_S%pLtX#+~`%1Iu5(znHxD_nl<xZ$Iu_KGV(({kz8fv!La^d*j!gYV}j<8u%DQJpcdzs6FVqHPH<=QG!y>SJCTwx%KPD
0IXkO{aRSR;&tjuUvYk_@LXK>!DYd7ZoHUZ2bpC3xA=2^>DPGKMer~1yfUCX|HX04JV5&!kLo_Jtj_a2=GV!7Tu5FYWYDS|;S#B5Lb82~9RF?~
skevZ&VeVBf1!V$QvRhyU_`Y<o}}kTE>9+gAWuS^5x>{->0t3Zi68BLRPXgL=O9l4D$kRyp<3k0!h1cgb7VhpByXK3$F(;|>KV_X`)H^+=MU#C
+73$dWV^uFEfRT>o*&uwU#*ZQA<l^RLsRFA=gDgAhn9T*^<uF+S=xU$hspd7Xm0<->$W&mz+s-`Rn!hp`O~Z@PZoGlqlLVl9m#$x%uzXclD3!9
JgFBXGYuoZpRc0oD_T~*pPxBZd?iue{d~-W<lhs&D6Nn4!2_GL9*)16k>>E*`uSD==|=P`u|4?lvMfvd?#h4v{An`MW5gTGKZ@7qG=C^p->i>A
eGc`Fn8)&u)rZGQT?QTtP&tof8m}#nWx7K3gXDP!Ij(QVNWF)6pJ%+e>vP%;O6&6@0%NyI<Vkvd<nrX!1msDGGh!ZV!%-g|D|78|JeKP^@L1r#
VjjyeQClACp@Y1h;Z4-<1k6!6d6KqQHFzv-UHOKMhU6P)9?S7|c|6wEjq-S`gcEqIN9$L+P0nK(dLCyUi+(RyuD-EPL46MOjhM&kpR5m$wc!FD
3s5<amAP449xLM_`{{I}y5B>ND?Ul;Z6kU2W^>o)v>lYz=W2nmbrN}!o*%h9IX?q=65@=Q$8vh=!(%08565Gf0>EQ||B896&Y9ZsSlb@*dTAu@
`CyL9$&<9bl;%mDAere8!8hnBzCmB{db_`;c%*DB9;?$|9*;GDt2`cS{WkDe`Ff4;qiXrp3i7L9gY#Imy3hV-$os5ReNO*hp6vfaMxZ{2`bJ!z
?}h49pF5+6tItz0a@>IC_TT(|*Mf9?UMUYt*XNEfdEFHxZ!W+bl~bS7_NoSt)pm$FN=4OCmH+?Y%e}>!gGQ*&RfYdQik4TO8<xOVrR!00UsY8#
KeF`}uh1H6U-f^KM&KR
""",
}
