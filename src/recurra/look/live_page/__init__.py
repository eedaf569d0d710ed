"""``live_page``: a page whose controls are a layer's sizes, and whose shapes, drawing and Python follow them."""

from __future__ import annotations

from recurra.look.live_page.page import live_page

__all__ = ["live_page"]
