"""The annex: an embedded backend that speaks the cloud's protocol and really edits, with ffmpeg."""
