"""A file that h5py 3.16.0 wrote: arrays in chunks."""

import base64
import zlib

import numpy as np

# "gzip" in chunks (5, 6) through the filters shuffle, gzip and fletcher32; "plain" the same in float64, in chunks
# (14, 4); "lzf", which is compressed otherwise; "part", of which half the chunks were never written.
NUMBERS = np.arange(210, dtype=np.float32).reshape(14, 15) / 4


def content():
    """The bytes of the file."""
    return zlib.decompress(base64.b85decode(_PACKED.replace("\n", "")))


_PACKED = """
c-rlndu$X%9LIlqdk05bj<yKp(Z@oMa+OjFw52^B-9lUMuvAoHKoZ<qI1Xs)0WD&QutpP0f>kjQiV-g{COrJ3Hi&=^mY`UCpou1cn0VzMTG2$qBaNu_
?)E#hyIczzH7N5<nonltJ2Th&?rdiEcB`kXVrbl$IEu(_Co3gVU-dvfx3SFH6;J@1z&#dLFGSl$p*{)Yn|+HOC@+t=drV^U<XLqZKONVdB2Rhg!Uz|m
>;l^@M&HWDRe=ZtwbiTY!mMrdMe76A>+1Vnr+K$HuRw$JJ_0N2GYb~I!U5kf&|DV7SAN8qBxR6(2}_h>r<5&dw~;;CZV~kX<7r{EEQor$CE6~~dVhn@
SGxjZL_UXJzkG$Swz|HzUc?Fsd+TfbE7nb)rq|oC0!53s(Z;5x@IObat8`1>$AeY(l?mZ4c9bP?U_V>;2QvruvDqC{2KKS_UzhaXzMdoZJAsDWaKD>z
lYXtZunJA}gG}WM!(w0O38r#dqH#Q1Kl3htufXIp&-*ldQ%yeeyocb+MLDjYdAs`YndeQx^^k4ynddDxT{p~^3|jfEmWzvvi;IivHq*vsHA;~3^NR9w
T>j3Tc{RtL%}B^eos~7R(2<*Nn=qna=z@d|SLG1dn*Br#Qu1M+byahuo0O5dQImp7>!Zh;#fiE0CQrL-Pq+1%vJagH4m8wXxqSBAOzo-6@XqRWW%w66
Mi;vEUPV?Xog6!C8F`1MiBik<7e(j9%3YT24FUC~=H_O<lbU{r`)teJ@m}3u`O4Har{1$IJ^169w^x4m#-!7A-yXTt@zsvUN;bc>KCo`>rK0mxr4U`Y
IA(Ww-J)xHubhY5YCqanFxZh+yy5)U?+<={_pD7nU&s(Mhfkl9aa0YykU27B9ZWB;O$lW^S9C(}^yazNA)ejEj|-j;8ZS9KZLMvBw>s&5sjIWIslr`c
e9TK9zZU<<w#wq;dWWX1_j=}g_wU=g#=p8{=dPBei{0-YI&yfEy!_PwHRaIkj<}Z3ech*ZcYFIMCnvd9U+nz8YwY4B=gxd{c2naM*Sdcxg?mYMeD*ub
J5qJGD|<hA=VjJNU7=2^^Ec7b(N<L@B~>O{=;$fir|~`hMj^Z({(DZ7B{+e}lpjy|J!0(BWS>*t=H%WXt<fg^db$lxLDm~iL7Fgdzk{hd%|7$)eM5R|
pWWmulw$kLr-!TKjAe&uUOT@*adB~RadB~R{R{fCL}v)>1Rb)@L@)_V2GhX|P|~R~W}$u}${@MGT-1X!1!Yj1hWhC`Wl&`-gb$<{@G-jK12vFlf^*;l
RZs&%GJK^vB~S*nx$uEB4?Zwh1|Jv#sT}iFzz1qz2vj`qfk99M=_llL8SDms1&70T7dQeO368_~AdN?vk>!+)GDvrWdH6m+71S7!6XnAPs*K1<1E~l;
M&zV|8p~}KSOOoYf*PnGClw5`+*pptNdZ-s8_N+n$)Lh=1L+?4Kp9lP5X;F6A1H&7!)H_$&<YL$Q@~N+XmAXeiO&O)6J<u0(<GEZ$^ob1^MER-F(M}_
fDcp|k&^~eF?@{3Nd+~Q+iVc)O9Ew30Yk`%u)ZWv1~udq0txF&0)xm&14Aq~tS=Qg1woDF#&SeXDi{PcmY*Gr0~2K9eRV9#sbHF^eFDY@Da+WdvYaNv
H`&x5_eU92ry1Kd<V3hX%7v!!k&_0J+t@B6Cl%CYoBAWCAgIa4b_F@9U~sN!eB`8nYMHTJLQXQfA6A(Df2=PFls(4w5X)&keDklj-|Vdf_EJQD{PS-m
xb(LY*z=JmBkkh#w<{uJ*o59+=leW&I^pb{+S2=|#Pbh4N4oLtp~T*=D5ieTHI~ia6aO`si;Ihki;Iiv|0s11Q9zCy2yXWKthJy0;a}ZX_t__>=f&J7
-wwae#@<&Cq=(#mU(LnE#l^+N#dU}6sZ09){Q(2}0}c
"""
