BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE files (
	inbox TEXT NOT NULL, 
	rel BLOB NOT NULL, 
	stamp TEXT NOT NULL, 
	job_id TEXT NOT NULL, 
	PRIMARY KEY (inbox, rel)
);
INSERT INTO "files" VALUES('videos',X'636166E92E6D7034','1458574:9726:1795284933216786060','b628068832acac65-1');
CREATE TABLE holds (
	reason TEXT NOT NULL, 
	sentence TEXT NOT NULL, 
	link TEXT NOT NULL, 
	since_at BIGINT NOT NULL, 
	look_at BIGINT, 
	PRIMARY KEY (reason)
);
CREATE TABLE jobs (
	job_id TEXT NOT NULL, 
	edit_id TEXT NOT NULL, 
	run INTEGER NOT NULL, 
	reuses TEXT NOT NULL, 
	inbox TEXT NOT NULL, 
	rel BLOB NOT NULL, 
	stamp TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	work TEXT NOT NULL, 
	state TEXT NOT NULL, 
	active BOOLEAN NOT NULL, 
	reason TEXT NOT NULL, 
	sentence TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	next_try_at BIGINT, 
	attempts INTEGER NOT NULL, 
	first_failed_at BIGINT, 
	step TEXT NOT NULL, 
	progress FLOAT NOT NULL, 
	failure TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	PRIMARY KEY (job_id)
);
INSERT INTO "jobs" VALUES('59dd569886c829b2-1','59dd569886c829b2',1,'','videos',X'62726F6B656E2E6D7034','1458570:9718:1795284923761134554','','{"messages": [], "exports": [], "language": "en", "skill": "ai-video-pro-online", "title": "broken", "originals": "archive", "duplicates": "reuse", "instruction": "", "source": "sidecar", "sidecar": ["broken.toml", "1458569:13:1795284923761037233"], "companions": [], "assets": [], "notes": []}','rejected',0,'sidecar_invalid','line 1, column 1: "promt" is not a key of a sidecar (did you mean "prompt"?).',0,NULL,0,NULL,'sidecar',0.0,'{"code": "sidecar_invalid", "message": "line 1, column 1: \"promt\" is not a key of a sidecar (did you mean \"prompt\"?).", "action": "Mend the file and drop it again.", "paid": "no", "step": "sidecar", "link": "", "line": 1, "column": 1}',1795284928168,1795284929801);
INSERT INTO "jobs" VALUES('2fdfab29b684c6b1-1','2fdfab29b684c6b1',1,'','videos',X'74616C6B2E6D7034','1458568:9710:1795284923760888335','212a74c3a1958199b8d90dc468a95e197f708129490941978d244aedcd282a99','{"messages": ["trim 0.5s off the start", "add the title \"Hello\""], "exports": [{"format": "mp4", "quality": "high", "resolution": "", "fps": 0, "name": ""}], "language": "en", "skill": "ai-video-pro-online", "title": "talk", "originals": "archive", "duplicates": "reuse", "instruction": "trim 0.5s off the start\n---\nadd the title \"Hello\"", "source": "sidecar", "sidecar": ["talk.txt", "1458567:49:1795284923760790993"], "companions": [], "assets": [], "notes": []}','delivered',0,'','',0,NULL,0,NULL,'',100.0,NULL,1795284928886,1795284932596);
INSERT INTO "jobs" VALUES('b628068832acac65-1','b628068832acac65',1,'','videos',X'636166E92E6D7034','1458574:9726:1795284933216786060','2024ba2a8b94e25b54acff6b1fc1dfa02498f18a0dba49ff73dec63992d05822','{"messages": ["trim 0.5s off the start", "add the title \"Bye\""], "exports": [{"format": "mp4", "quality": "high", "resolution": "", "fps": 0, "name": ""}], "language": "en", "skill": "ai-video-pro-online", "title": "caf\udce9", "originals": "archive", "duplicates": "reuse", "instruction": "trim 0.5s off the start\n---\nadd the title \"Bye\"", "source": "sidecar", "sidecar": ["caf\udce9.txt", "1458508:47:1795284933216677538"], "companions": [], "assets": [], "notes": []}','ready',1,'','',0,NULL,0,NULL,'edit-1',0.0,NULL,1795284950630,1795284952047);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('ledger_id','14847aad05484176ab8c7c17099fda11');
CREATE TABLE notices (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "notices" VALUES('inbox:videos','{"state": "watching", "mode": "native events (inotify) and a rescan every 60 s", "path": "/srv/nemo-watch/inbox", "waiting": [], "waiting_count": 0}',1795284952604);
INSERT INTO "notices" VALUES('daemon','{"pid": 23011, "since": "2026-11-21T18:15:37.721785+00:00", "working": [{"job": "b628068832acac65-1", "file": "caf\udce9.mp4", "step": "edit-1", "fraction": null}]}',1795284952646);
CREATE TABLE steps (
	job_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	token TEXT NOT NULL, 
	data TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	PRIMARY KEY (job_id, name), 
	FOREIGN KEY(job_id) REFERENCES jobs (job_id)
);
INSERT INTO "steps" VALUES('59dd569886c829b2-1','reject','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"moves": [{"rel": "broken.mp4", "stamp": "1458570:9718:1795284923761134554", "target": "/srv/nemo-watch/rejects/broken.mp4"}, {"rel": "broken.toml", "stamp": "1458569:13:1795284923761037233", "target": "/srv/nemo-watch/rejects/broken.toml"}], "report": "code = \"sidecar_invalid\"\nname = \"Instruction file not valid\"\nmessage = \"line 1, column 1: \\\"promt\\\" is not a key of a sidecar (did you mean \\\"prompt\\\"?).\"\naction = \"Mend the file and drop it again.\"\npaid = \"no\"\nstep = \"sidecar\"\nattempts = 1\njob = \"59dd569886c829b2-1\"\nwhen = 2026-11-21 18:15:29.454030+00:00\nbackend = \"sandbox\"\nsource = \"broken.mp4\"\nline = 1\ncolumn = 1\n", "report_target": "/srv/nemo-watch/rejects/broken.mp4.error.toml"}',1795284929462,1795284929721);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','session','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"session_id": "2110236552899142057", "task_id": "task_faaaaf73365b07e0", "user_id": "anon_e6919dada13b93fe", "credits_before": 10000.0, "others_calls": 0}',1795284929419,1795284929797);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','upload-0','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"filename": "talk.mp4", "sha256": "212a74c3a1958199b8d90dc468a95e197f708129490941978d244aedcd282a99"}',1795284929885,1795284929963);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','edit-1','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"changed": true, "text": "Cut the first 0.5 s. Trimmed: 4.0 s -> 3.5 s.", "summary": "Now on the timeline: Video: talk.mp4 (0-3.5s), the length is 3.5 s."}',1795284930064,1795284930672);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','edit-2','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"changed": true, "text": "Added the text \"Hello\" (0-3 s).", "summary": "Now on the timeline: Title: \"Hello\" (0-3s)."}',1795284930686,1795284930761);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','draft','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"draft": {"d": 3500, "m": {"title": "talk", "width": 114, "height": 64, "fps": 10.0}, "t": [{"id": "trk_v1", "tt": 0, "d": 3500, "m": {"name": "main"}, "sg": [{"id": "seg_v1", "s": 0, "d": 3500, "src": "http://127.0.0.1:41919/v/VJ-L5jq69GVwcZojrplNaxbpQBJmwcvf/talk.mp4", "ss": 500, "sd": 3500, "sp": 1.0, "v": 1.0, "m": {"name": "talk.mp4"}}]}, {"id": "trk_t1", "tt": 7, "d": 3000, "m": {"name": "Title"}, "sg": [{"id": "seg_t1", "s": 0, "d": 3000, "tx": "Hello", "ts": {"ff": "DejaVu Sans", "fs": 72, "c": "#FFFFFF", "b": true, "al": "center", "px": 0.5, "py": 0.5, "sk": "#000000", "sw": 3, "sh": true}, "an": {"in": {"ty": "fade", "d": 300}, "out": {"ty": "fade", "d": 300}}, "m": {"name": "Hello"}}]}]}, "timeline": "Timeline (2 tracks): 1. Video: talk.mp4 (0-3.5s) 2. Title: \"Hello\" (0-3s)"}',1795284930770,1795284930770);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','render-1','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"render_id": "render_adaa51c9-563b-4d72-8dc1-9cfaa951b9ed", "ids": ["render_adaa51c9-563b-4d72-8dc1-9cfaa951b9ed"], "acknowledged": true, "empty": 0, "bad": 0, "submitted_at": "2026-11-21T18:15:30.787425+00:00", "url": "http://127.0.0.1:41919/v/031OwoRdsTbu-yXWk7jD9sFaCO2E16k9/render_adaa51c9-563b-4d72-8dc1-9cfaa951b9ed.mp4", "duration_s": 3.5, "size_bytes": 11401}',1795284930774,1795284931523);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','download-1','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"path": "/srv/nemo-watch/state/spool/2fdfab29b684c6b1-1/1.mp4", "sha256": "d20857400ffac4a9fe73e34334b20e8db4373f8922186bc6902e5405828f3bb1", "size_bytes": 11401, "duration_s": 3.5}',1795284931528,1795284932036);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','deliver','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"files": [{"source": "/srv/nemo-watch/state/spool/2fdfab29b684c6b1-1/1.mp4", "target": "/srv/nemo-watch/outbox/talk.mp4", "sha256": "d20857400ffac4a9fe73e34334b20e8db4373f8922186bc6902e5405828f3bb1"}], "report_target": "/srv/nemo-watch/outbox/talk.report.toml", "report": "backend = \"sandbox\"\njob = \"2fdfab29b684c6b1-1\"\nsource = \"talk.mp4\"\nsource_sha256 = \"212a74c3a1958199b8d90dc468a95e197f708129490941978d244aedcd282a99\"\nsource_size = 9710\ninstruction = \"trim 0.5s off the start\\n---\\nadd the title \\\"Hello\\\"\"\nmessages = [\n    \"trim 0.5s off the start\",\n    \"add the title \\\"Hello\\\"\",\n]\nskill = \"ai-video-pro-online\"\nsession = \"2110236552899142057\"\nrenders = [\n    \"render_adaa51c9-563b-4d72-8dc1-9cfaa951b9ed\",\n]\nreply = \"Cut the first 0.5 s. Trimmed: 4.0 s -> 3.5 s.\\nAdded the text \\\"Hello\\\" (0-3 s).\"\ntimeline = \"Timeline (2 tracks): 1. Video: talk.mp4 (0-3.5s) 2. Title: \\\"Hello\\\" (0-3s)\"\nfinished = 2026-11-21 18:15:32.094481+00:00\ncredits_spent = 50.0\n\n[account_credits]\nbefore = 10000.0\nafter = 9950.0\n\n[times]\nsession = 0.378\nupload-0 = 0.078\nedit-1 = 0.608\nedit-2 = 0.075\nrender-1 = 0.749\ndownload-1 = 0.508\n\n[[export]]\nfile = \"talk.mp4\"\nduration = 3.5\nsize = 11401\nsha256 = \"d20857400ffac4a9fe73e34334b20e8db4373f8922186bc6902e5405828f3bb1\"\n"}',1795284932095,1795284932228);
INSERT INTO "steps" VALUES('2fdfab29b684c6b1-1','archive','done','9add18a1c4ca479dbb9a3c99c3026fc9','{"moves": [{"rel": "talk.mp4", "stamp": "1458568:9710:1795284923760888335", "target": "/srv/nemo-watch/archive/talk.mp4"}, {"rel": "talk.txt", "stamp": "1458567:49:1795284923760790993", "target": "/srv/nemo-watch/archive/talk.txt"}], "report": "", "report_target": ""}',1795284932308,1795284932470);
INSERT INTO "steps" VALUES('b628068832acac65-1','session','done','fc7b7ae8ba2547779658fd7fcbee8a79','{"session_id": "8985136319801706771", "task_id": "task_1c8d7a9e088d3ff8", "user_id": "anon_e6919dada13b93fe", "credits_before": 9950.0, "others_calls": 0}',1795284950898,1795284951429);
INSERT INTO "steps" VALUES('b628068832acac65-1','upload-0','done','fc7b7ae8ba2547779658fd7fcbee8a79','{"filename": "caf\udce9.mp4", "sha256": "2024ba2a8b94e25b54acff6b1fc1dfa02498f18a0dba49ff73dec63992d05822"}',1795284951564,1795284951995);
INSERT INTO "steps" VALUES('b628068832acac65-1','edit-1','done','fc7b7ae8ba2547779658fd7fcbee8a79','{"changed": true, "text": "Cut the first 0.5 s. Trimmed: 4.0 s -> 3.5 s.", "summary": "Now on the timeline: Video: caf%E9.mp4 (0-3.5s), the length is 3.5 s."}',1795284952046,1795284952765);
CREATE INDEX ix_jobs_edit_id ON jobs (edit_id);
CREATE INDEX ix_jobs_reuses ON jobs (reuses);
CREATE INDEX ix_jobs_state ON jobs (state);
COMMIT;