BEGIN TRANSACTION;
CREATE TABLE artefacts (
	sha256 VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	owner_id VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (sha256, kind, owner_id)
);
INSERT INTO "artefacts" VALUES('dd44f7ee60730452134e7380b5a2e7512558394dc094be30b67db9e3117b7c39','prompt','a-0de751d1163d440fae5f',1.79539304205766844747e+09);
INSERT INTO "artefacts" VALUES('a7c9985d46ca5719357525cc365641e45d6882fb66949d4c08989883f8148c8b','answer','a-0de751d1163d440fae5f',1.79539304209883499151e+09);
INSERT INTO "artefacts" VALUES('7971c635ea127187d9899a0bdc8ee376863a91b99451437a57a865db2c72f44f','prompt','a-36d434d56e294d7fa5f2',1.79539304210900378224e+09);
INSERT INTO "artefacts" VALUES('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a','plan','plan-1',1.79539304212505340576e+09);
CREATE TABLE attempts (
	attempt_id VARCHAR NOT NULL, 
	intent_sha256 VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	give_up_at FLOAT NOT NULL, 
	target VARCHAR NOT NULL, 
	plan_id VARCHAR, 
	task_id VARCHAR, 
	run_id VARCHAR, 
	purpose VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	round BIGINT NOT NULL, 
	attempt_no BIGINT NOT NULL, 
	provider VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	model_requested VARCHAR NOT NULL, 
	model_digest VARCHAR NOT NULL, 
	seed BIGINT, 
	options_sha256 VARCHAR NOT NULL, 
	prompt_sha256 VARCHAR NOT NULL, 
	t_queued FLOAT NOT NULL, 
	t_sent FLOAT NOT NULL, 
	t_first FLOAT, 
	t_done FLOAT, 
	status VARCHAR NOT NULL, 
	error VARCHAR NOT NULL, 
	model_returned VARCHAR, 
	reply_sha256 VARCHAR, 
	tokens_in BIGINT NOT NULL, 
	tokens_cache_write BIGINT NOT NULL, 
	tokens_cache_read BIGINT NOT NULL, 
	tokens_out BIGINT NOT NULL, 
	load_ns BIGINT NOT NULL, 
	prompt_ns BIGINT NOT NULL, 
	eval_ns BIGINT NOT NULL, 
	total_ns BIGINT NOT NULL, 
	request_id VARCHAR, 
	usd FLOAT NOT NULL, 
	PRIMARY KEY (attempt_id)
);
INSERT INTO "attempts" VALUES('a-0de751d1163d440fae5f','194da56378feac4aec3fe207c90016db25d19ac2eb743a3440cd081e1e7aee6f','a-machine.1/a-boot/pid:[1]:7:7',1.79539664204746603963e+09,'row_softmax',NULL,NULL,'run-1','code','kernel_dev',0,1,'ollama','http://a:11434','m:7b','d1',7,'3343deb6401157bc04c57916fafb02774d8485eef8f969d4ed6f7ceaf90524e9','dd44f7ee60730452134e7380b5a2e7512558394dc094be30b67db9e3117b7c39',1.79539304204746603963e+09,1.79539304204746603963e+09,NULL,1.79539304207385349274e+09,'OK','',NULL,'a7c9985d46ca5719357525cc365641e45d6882fb66949d4c08989883f8148c8b',3,0,0,4,0,0,0,0,NULL,0.0);
INSERT INTO "attempts" VALUES('a-36d434d56e294d7fa5f2','cf2a74793d6f6e24e89c107ee5db5b083cd60c69ab488dac363bd3ed91598b34','a-machine.1/a-boot/pid:[1]:7:7',4102444800.0,'row_softmax',NULL,NULL,'run-1','code','kernel_dev',0,1,'ollama','http://a:11434','m:7b','d1',7,'3343deb6401157bc04c57916fafb02774d8485eef8f969d4ed6f7ceaf90524e9','7971c635ea127187d9899a0bdc8ee376863a91b99451437a57a865db2c72f44f',1.79539304210851931569e+09,1.79539304210851931569e+09,NULL,NULL,'PENDING','',NULL,NULL,0,0,0,0,0,0,0,0,NULL,0.0);
CREATE TABLE candidates (
	candidate_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	source_sha256 VARCHAR NOT NULL, 
	plan_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (candidate_id)
);
CREATE TABLE evidence (
	evidence_id VARCHAR NOT NULL, 
	identity VARCHAR NOT NULL, 
	candidate_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	tier BIGINT, 
	status VARCHAR NOT NULL, 
	speedup_low FLOAT, 
	json_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (evidence_id), 
	FOREIGN KEY(candidate_id) REFERENCES candidates (candidate_id)
);
CREATE TABLE origins (
	candidate_id VARCHAR NOT NULL, 
	reply_id VARCHAR NOT NULL, 
	task_id VARCHAR NOT NULL, 
	parents JSON NOT NULL, 
	round BIGINT NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (candidate_id, reply_id), 
	FOREIGN KEY(candidate_id) REFERENCES candidates (candidate_id), 
	FOREIGN KEY(reply_id) REFERENCES replies (reply_id)
);
CREATE TABLE plans (
	plan_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	commit_sha VARCHAR NOT NULL, 
	planner VARCHAR NOT NULL, 
	json_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (plan_id)
);
INSERT INTO "plans" VALUES('plan-1','row_softmax','c0ffee','rules','44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',1.79539304212502717969e+09);
CREATE TABLE pull_requests (
	pull_request_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	candidate_id VARCHAR NOT NULL, 
	evidence_id VARCHAR, 
	branch VARCHAR NOT NULL, 
	commit_sha VARCHAR NOT NULL, 
	url VARCHAR, 
	state VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (pull_request_id), 
	FOREIGN KEY(candidate_id) REFERENCES candidates (candidate_id)
);
CREATE TABLE replies (
	reply_id VARCHAR NOT NULL, 
	attempt_id VARCHAR NOT NULL, 
	plan_id VARCHAR NOT NULL, 
	task_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	json_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (reply_id)
);
CREATE TABLE reviews (
	review_id VARCHAR NOT NULL, 
	candidate_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	reviewer VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	evidence_ids JSON NOT NULL, 
	attempt_id VARCHAR, 
	json_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (review_id), 
	FOREIGN KEY(candidate_id) REFERENCES candidates (candidate_id)
);
CREATE TABLE schema_version (
	version BIGINT NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE tasks (
	plan_id VARCHAR NOT NULL, 
	task_id VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	json_sha256 VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (plan_id, task_id), 
	FOREIGN KEY(plan_id) REFERENCES plans (plan_id)
);
CREATE INDEX ix_plans_target ON plans (target);
CREATE INDEX ix_plans_commit_sha ON plans (commit_sha);
CREATE INDEX ix_attempts_prompt_sha256 ON attempts (prompt_sha256);
CREATE INDEX ix_attempts_run_id ON attempts (run_id);
CREATE INDEX ix_attempts_plan_id ON attempts (plan_id);
CREATE INDEX ix_attempts_target ON attempts (target);
CREATE INDEX ix_attempts_task_id ON attempts (task_id);
CREATE INDEX ix_attempts_status ON attempts (status);
CREATE INDEX attempts_by_intent ON attempts (intent_sha256, status);
CREATE INDEX ix_attempts_reply_sha256 ON attempts (reply_sha256);
CREATE INDEX ix_replies_attempt_id ON replies (attempt_id);
CREATE INDEX ix_replies_plan_id ON replies (plan_id);
CREATE INDEX ix_replies_task_id ON replies (task_id);
CREATE INDEX ix_candidates_target ON candidates (target);
CREATE INDEX ix_tasks_task_id ON tasks (task_id);
CREATE INDEX ix_tasks_target ON tasks (target);
CREATE INDEX ix_origins_reply_id ON origins (reply_id);
CREATE INDEX ix_evidence_candidate_id ON evidence (candidate_id);
CREATE INDEX ix_evidence_target ON evidence (target);
CREATE INDEX ix_evidence_identity ON evidence (identity);
CREATE INDEX ix_reviews_target ON reviews (target);
CREATE INDEX ix_reviews_candidate_id ON reviews (candidate_id);
CREATE INDEX ix_pull_requests_candidate_id ON pull_requests (candidate_id);
CREATE INDEX ix_pull_requests_branch ON pull_requests (branch);
CREATE INDEX ix_pull_requests_target ON pull_requests (target);
CREATE INDEX ix_pull_requests_commit_sha ON pull_requests (commit_sha);
COMMIT;
