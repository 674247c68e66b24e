PRAGMA application_id = 1162104113;
BEGIN TRANSACTION;
CREATE TABLE counter (highest INTEGER NOT NULL) STRICT;
INSERT INTO "counter" VALUES(0);
CREATE TABLE maker (
                maker_id INTEGER PRIMARY KEY,
                model_name TEXT NOT NULL,
                model_version TEXT NOT NULL,
                model_sha256 TEXT NOT NULL,
                software_version TEXT NOT NULL,
                UNIQUE (model_sha256, model_name, model_version, software_version)
            ) STRICT
            ;
INSERT INTO "maker" VALUES(1,'test','0.0.1','0000000000000000000000000000000000000000000000000000000000000000','0.1.0');
CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at_us INTEGER NOT NULL) STRICT;
INSERT INTO "migration" VALUES(1,'results',1800000000000000);
INSERT INTO "migration" VALUES(2,'pictures',1800000000000000);
CREATE TABLE picture (
                sequence INTEGER PRIMARY KEY REFERENCES result ON DELETE CASCADE,
                jpeg BLOB NOT NULL,
                thumbnail BLOB NOT NULL,
                crop_top_px INTEGER NOT NULL,
                crop_left_px INTEGER NOT NULL,
                crop_side_px INTEGER NOT NULL
            ) STRICT
            ;
INSERT INTO "picture" VALUES(2,X'FFD86C61726765',X'FFD8736D616C6C',1,2,3);
CREATE TABLE result (
                sequence INTEGER PRIMARY KEY,
                secret TEXT NOT NULL,
                captured_at_us INTEGER NOT NULL,
                clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),
                source TEXT NOT NULL,
                result TEXT NOT NULL
                    CHECK (result IN ('benign', 'malignant', 'uncertain', 'retake')),
                probability_malignant REAL NOT NULL
                    CHECK (probability_malignant BETWEEN 0 AND 1),
                diagnoses TEXT NOT NULL,
                reasons TEXT NOT NULL,
                quality TEXT NOT NULL,
                timings_ms TEXT NOT NULL,
                maker_id INTEGER NOT NULL REFERENCES maker,
                map_height INTEGER NOT NULL,
                map_width INTEGER NOT NULL,
                activation_map BLOB NOT NULL
                    CHECK (length(activation_map) = 4 * map_height * map_width),
                note TEXT,
                patient_reference TEXT,
                lesion_reference TEXT,
                confirmed_diagnosis TEXT,
                diagnosis_confirm_type TEXT,
                consent INTEGER NOT NULL DEFAULT 0 CHECK (consent IN (0, 1))
            ) STRICT
            ;
INSERT INTO "result" VALUES(1,'abcdefghijklmnop',1772357400125000,0,'upload','uncertain',0.5,'{"MEL":0.14285714285714285,"NV":0.14285714285714285,"BCC":0.14285714285714285,"AKIEC":0.14285714285714285,"BKL":0.14285714285714285,"DF":0.14285714285714285,"VASC":0.14285714285714285}','[{"code":"between_thresholds","text":"between the two thresholds"}]','{"brightness":0.6,"saturated_share":0.0,"contrast":0.1,"sharpness":0.02}','{"inference":1.0,"total":2.0}',1,2,2,X'0000003F000080BF0000004000005040',NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "result" VALUES(2,'abcdefghijklmnoq',1772357401125000,1,'upload','uncertain',0.5,'{"MEL":0.14285714285714285,"NV":0.14285714285714285,"BCC":0.14285714285714285,"AKIEC":0.14285714285714285,"BKL":0.14285714285714285,"DF":0.14285714285714285,"VASC":0.14285714285714285}','[{"code":"between_thresholds","text":"between the two thresholds"}]','{"brightness":0.6,"saturated_share":0.0,"contrast":0.1,"sharpness":0.02}','{"inference":1.0,"total":2.0}',1,2,2,X'0000003F000080BF0000004000005040','remember','P-1','arm','NV','histo',1);
CREATE INDEX result_of_patient ON result (patient_reference)
                WHERE patient_reference IS NOT NULL
            ;
CREATE INDEX result_of_lesion ON result (lesion_reference)
                WHERE lesion_reference IS NOT NULL
            ;
COMMIT;
