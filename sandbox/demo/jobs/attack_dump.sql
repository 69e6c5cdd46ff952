-- 攻击一：改列名、打乱次序，整行带出 / rows as they are, renamed and shuffled
CREATE TABLE dump AS
SELECT sex AS a, birth_date AS b, district AS c, education AS d, occupation AS e, income AS f
FROM residents ORDER BY hash(resident_id) LIMIT 500;
