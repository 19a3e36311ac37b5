"""Articulated bodies with labelled parts: skeleton -> signed distance field -> closed triangle mesh."""
