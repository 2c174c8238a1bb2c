-- Redshift's system views and statements on PostgreSQL 15. Each view has the name
-- and the columns that Redshift's documentation gives it; what PostgreSQL has no
-- place for (groups apart from roles, session time-outs, datashares, …) is kept
-- in the comments of roles, which all databases share, and in records of a database.
CREATE SCHEMA redshift;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;

CREATE TABLE redshift.records (
	kind text, object text, privilege text, grantee text, option boolean DEFAULT false,
	PRIMARY KEY (kind, object, privilege, grantee));

CREATE FUNCTION redshift.refuse(code text, said text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = said; END $$;

CREATE FUNCTION redshift.notes(role oid) RETURNS jsonb LANGUAGE sql STABLE AS
$$ SELECT coalesce(shobj_description(role, 'pg_authid')::jsonb, '{}') $$;

CREATE FUNCTION redshift.kind(role oid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN role = 0 THEN 'public' ELSE coalesce(redshift.notes(role) ->> 'kind', 'user') END $$;

CREATE FUNCTION redshift.named(role oid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN role = 0 THEN 'public' ELSE (SELECT rolname::text FROM pg_roles WHERE oid = role) END $$;

CREATE FUNCTION redshift.superuser() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT rolsuper FROM pg_roles WHERE rolname = session_user $$;

-- What regular users see of grants is their own.
CREATE FUNCTION redshift.sees(name text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT redshift.superuser() OR name = session_user $$;

CREATE FUNCTION redshift.must_be_superuser() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN IF NOT redshift.superuser() THEN PERFORM redshift.refuse('42501', 'must be superuser to do this'); END IF; END $$;

CREATE FUNCTION redshift.note(name text, key text, value jsonb) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	EXECUTE format('COMMENT ON ROLE %I IS %L', name,
		(SELECT redshift.notes(oid) || jsonb_build_object(key, value) FROM pg_roles WHERE rolname = name));
END $$;

CREATE FUNCTION redshift.create_group(name text, kind text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	PERFORM redshift.must_be_superuser();
	EXECUTE format('CREATE ROLE %I NOLOGIN', name);
	PERFORM redshift.note(name, 'kind', to_jsonb(kind));
END $$;

CREATE FUNCTION redshift.create_user(name text, member text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	PERFORM redshift.must_be_superuser();
	EXECUTE format('CREATE ROLE %I LOGIN PASSWORD NULL', name);
	EXECUTE format('ALTER GROUP %I ADD USER %I', member, name);
END $$;

CREATE FUNCTION redshift.set_digest(name text, digest text, until text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	EXECUTE format('ALTER ROLE %I PASSWORD NULL', name);
	IF until <> '' THEN EXECUTE format('ALTER ROLE %I VALID UNTIL %L', name, until); END IF;
	PERFORM redshift.note(name, 'digest', to_jsonb(digest));
END $$;

-- grants carries out one GRANT or REVOKE. What PostgreSQL knows too is its own.
CREATE FUNCTION redshift.grants(verb text, privileges text[], kind text, objects text[], grantee text, option boolean) RETURNS void LANGUAGE plpgsql AS
$$ DECLARE
	p text; o text; native boolean;
	who text := trim(both '"' from grantee);
BEGIN
	PERFORM redshift.must_be_superuser();
	FOREACH p IN ARRAY privileges LOOP
		FOREACH o IN ARRAY objects LOOP
			native := kind IN ('TABLE', 'SCHEMA', 'DATABASE', 'FUNCTION', 'PROCEDURE', 'LANGUAGE')
				AND split_part(p, ' ', 1) NOT IN ('DROP', 'ALTER') AND NOT (kind = 'DATABASE' AND p = 'USAGE');
			IF native AND verb = 'GRANT' THEN
				EXECUTE format('GRANT %s ON %s %s TO %s%s', p, kind, o, grantee, CASE WHEN option THEN ' WITH GRANT OPTION' ELSE '' END);
			ELSIF native THEN
				EXECUTE format('REVOKE %s%s ON %s %s FROM %s', CASE WHEN option THEN 'GRANT OPTION FOR ' ELSE '' END, p, kind, o, grantee);
			ELSIF verb = 'GRANT' THEN
				INSERT INTO redshift.records AS r VALUES (kind, o, p, replace(who, '""', '"'), option)
					ON CONFLICT ON CONSTRAINT records_pkey DO UPDATE SET option = r.option OR excluded.option;
			ELSIF option THEN
				UPDATE redshift.records r SET option = false WHERE (r.kind, r.object, r.privilege, r.grantee) = (grants.kind, o, p, replace(who, '""', '"'));
			ELSE
				DELETE FROM redshift.records r WHERE (r.kind, r.object, r.privilege, r.grantee) = (grants.kind, o, p, replace(who, '""', '"'));
			END IF;
		END LOOP;
	END LOOP;
END $$;

CREATE FUNCTION redshift.system_privilege(verb text, privilege text, grantee text) RETURNS void LANGUAGE plpgsql AS
$$ DECLARE held jsonb;
BEGIN
	PERFORM redshift.must_be_superuser();
	SELECT coalesce(redshift.notes(oid) -> 'system', '[]') - privilege INTO held FROM pg_roles WHERE rolname = grantee;
	IF verb = 'GRANT' THEN held := held || to_jsonb(privilege); END IF;
	PERFORM redshift.note(grantee, 'system', held);
END $$;

CREATE FUNCTION redshift.grant_role(verb text, name text, grantee text, option boolean) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
	PERFORM redshift.must_be_superuser();
	IF (SELECT redshift.kind(oid) FROM pg_roles WHERE rolname = name) IS DISTINCT FROM 'role' THEN
		PERFORM redshift.refuse('42704', format('role "%s" does not exist', name));
	END IF;
	IF verb = 'GRANT' THEN
		EXECUTE format('GRANT %I TO %I%s', name, grantee, CASE WHEN option THEN ' WITH ADMIN OPTION' ELSE '' END);
	ELSE
		EXECUTE format('REVOKE %s%I FROM %I', CASE WHEN option THEN 'ADMIN OPTION FOR ' ELSE '' END, name, grantee);
	END IF;
END $$;

-- parts takes "a"."b" apart.
CREATE FUNCTION redshift.part(object text, n int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT replace(trim(both '"' from (regexp_split_to_array(object, '(?<=")\.(?=")'))[n]), '""', '"') $$;

CREATE VIEW redshift.pg_user AS
	SELECT usename, usesysid, usecreatedb, usesuper, false AS usecatupd, '********'::text AS passwd, valuntil::text AS valuntil, useconfig
	FROM pg_catalog.pg_user;

CREATE VIEW redshift.pg_group AS
	SELECT rolname AS groname, oid AS grosysid, ARRAY(SELECT member::int FROM pg_auth_members m WHERE m.roleid = r.oid) AS grolist
	FROM pg_roles r WHERE redshift.kind(oid) = 'group';

CREATE VIEW redshift.pg_proc_info AS SELECT oid AS prooid, * FROM pg_catalog.pg_proc;

CREATE VIEW redshift.svv_user_info AS
	SELECT rolname::text AS user_name, oid::int AS user_id, rolcreatedb AS createdb, rolsuper AS superuser, false AS catalog_update,
		CASE WHEN rolconnlimit < 0 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS connection_limit,
		coalesce(redshift.notes(oid) ->> 'syslog', 'RESTRICTED') AS syslog_access, NULL::timestamp AS last_ddl_timestamp,
		coalesce((redshift.notes(oid) ->> 'timeout')::int, 0) AS session_timeout, NULL::text AS external_user_id
	FROM pg_roles WHERE redshift.kind(oid) = 'user' AND redshift.sees(rolname);

CREATE VIEW redshift.svv_user_grants AS
	SELECT member::int AS user_id, redshift.named(member) AS user_name, roleid::int AS role_id, redshift.named(roleid) AS role_name, admin_option
	FROM pg_auth_members WHERE redshift.kind(roleid) = 'role' AND redshift.kind(member) = 'user' AND redshift.sees(redshift.named(member));

CREATE VIEW redshift.svv_system_privileges AS
	SELECT jsonb_array_elements_text(redshift.notes(oid) -> 'system') AS system_privilege, oid::int AS identity_id, rolname::text AS identity_name, redshift.kind(oid) AS identity_type
	FROM pg_roles WHERE redshift.sees(rolname);

CREATE VIEW redshift.svv_redshift_databases AS
	SELECT datname::text AS database_name, datdba::int AS database_owner, 'local'::text AS database_type, NULL::text AS database_acl,
		NULL::text AS database_options, 'Snapshot Isolation'::text AS database_isolation_level
	FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres';

CREATE VIEW redshift.svv_database_privileges AS
	SELECT datname::text AS database_name, replace(a.privilege_type, 'TEMPORARY', 'TEMP') AS privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type, a.is_grantable AS admin_option, 'DATABASE'::text AS privilege_scope
	FROM pg_database, aclexplode(datacl) a WHERE a.privilege_type <> 'CONNECT' AND redshift.sees(redshift.named(a.grantee)) AND a.grantee <> datdba
	UNION ALL
	SELECT redshift.part(object, 1), privilege, 0, grantee, 'user', option, CASE kind WHEN 'DATABASE' THEN kind ELSE split_part(kind, ' ', 2) END
	FROM redshift.records WHERE (kind = 'DATABASE' OR kind LIKE 'FOR % IN DATABASE') AND redshift.sees(grantee);

CREATE VIEW redshift.svv_datashare_privileges AS
	SELECT redshift.part(object, 1) AS datashare_name, privilege AS privilege_type, 0 AS identity_id, grantee AS identity_name, 'user'::text AS identity_type, option AS admin_option
	FROM redshift.records WHERE kind = 'DATASHARE' AND redshift.sees(grantee);

CREATE VIEW redshift.svv_iam_privileges AS
	SELECT trim(both '''' from object) AS iam_arn, privilege AS command_type, 0 AS identity_id, grantee AS identity_name, 'user'::text AS identity_type
	FROM redshift.records WHERE kind = 'ASSUMEROLE' AND redshift.sees(grantee);

CREATE VIEW redshift.svv_schema_privileges AS
	SELECT nspname::text AS namespace_name, a.privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type, a.is_grantable AS admin_option, 'SCHEMA'::text AS privilege_scope
	FROM pg_namespace, aclexplode(nspacl) a WHERE redshift.sees(redshift.named(a.grantee))
	UNION ALL
	SELECT redshift.part(object, 1), privilege, 0, grantee, 'user', option, CASE kind WHEN 'SCHEMA' THEN kind ELSE split_part(kind, ' ', 2) END
	FROM redshift.records WHERE (kind = 'SCHEMA' OR kind LIKE 'FOR % IN SCHEMA') AND redshift.sees(grantee);

CREATE VIEW redshift.svv_relation_privileges AS
	SELECT nspname::text AS namespace_name, relname::text AS relation_name, a.privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type, a.is_grantable AS admin_option
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl) a WHERE relkind IN ('r', 'v') AND redshift.sees(redshift.named(a.grantee))
	UNION ALL
	SELECT redshift.part(object, 1), redshift.part(object, 2), privilege, 0, grantee, 'user', option
	FROM redshift.records WHERE kind = 'TABLE' AND redshift.sees(grantee);

CREATE VIEW redshift.svv_column_privileges AS
	SELECT nspname::text AS namespace_name, relname::text AS relation_name, attname::text AS column_name, a.privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type
	FROM pg_attribute t JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(attacl) a WHERE redshift.sees(redshift.named(a.grantee));

CREATE VIEW redshift.svv_function_privileges AS
	SELECT nspname::text AS namespace_name, proname::text AS function_name, oidvectortypes(proargtypes) AS argument_types, a.privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type, a.is_grantable AS admin_option
	FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace, aclexplode(proacl) a WHERE redshift.sees(redshift.named(a.grantee));

CREATE VIEW redshift.svv_language_privileges AS
	SELECT lanname::text AS language_name, a.privilege_type, a.grantee::int AS identity_id,
		redshift.named(a.grantee) AS identity_name, redshift.kind(a.grantee) AS identity_type, a.is_grantable AS admin_option
	FROM pg_language, aclexplode(lanacl) a WHERE redshift.sees(redshift.named(a.grantee)) AND a.grantee <> lanowner;

CREATE VIEW redshift.svv_ml_model_privileges AS
	SELECT redshift.part(object, 1) AS namespace_name, redshift.part(object, 2) AS model_name, 1 AS model_version, privilege AS privilege_type, 0 AS identity_id,
		grantee AS identity_name, 'user'::text AS identity_type, option AS admin_option
	FROM redshift.records WHERE kind = 'MODEL' AND redshift.sees(grantee);

CREATE VIEW redshift.svv_rls_attached_policy AS
	SELECT redshift.part(split_part(object, ' ON ', 2), 1) AS relschema, redshift.part(split_part(object, ' ON ', 2), 2) AS relname, 'table'::text AS relkind,
		redshift.part(split_part(object, ' ON ', 1), 1) AS polname, ''::text AS grantor, grantee, 'user'::text AS granteekind, true AS is_pol_on, true AS is_rls_on
	FROM redshift.records WHERE kind = 'RLS' AND redshift.superuser();

CREATE VIEW redshift.svv_default_privileges AS
	SELECT coalesce(nspname::text, '') AS schema_name, CASE defaclobjtype WHEN 'r' THEN 'RELATION' WHEN 'f' THEN 'FUNCTION' END AS object_type,
		defaclrole::int AS owner_id, redshift.named(defaclrole) AS owner_name, 'user'::text AS owner_type, a.privilege_type, a.grantee::int AS grantee_id,
		redshift.named(a.grantee) AS grantee_name, redshift.kind(a.grantee) AS grantee_type, a.is_grantable AS admin_option
	FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = defaclnamespace, aclexplode(defaclacl) a
	WHERE defaclobjtype IN ('r', 'f') AND a.grantee <> defaclrole AND redshift.sees(redshift.named(a.grantee));

GRANT SELECT ON ALL TABLES IN SCHEMA redshift TO PUBLIC;
REVOKE SELECT ON redshift.records FROM PUBLIC;
